# `make demo` and `make test` are all that a new machine needs; the rest is for
# people who know upstream's targets.
LP = target/release/lp

.PHONY: demo docker-demo docker-images test bench campaign install run-lp validate-all-configs

demo:
	@scripts/demo

docker-demo:
	@scripts/docker-demo

docker-images:
	@scripts/setup containers
	@scripts/images

test:
	@scripts/test

bench:
	@scripts/bench

# The fuzzer takes an hour, LP_FUZZ_SECONDS for each of its four targets.
campaign:
	@scripts/setup test
	@LP_CAMPAIGN_FULL=1 cargo test --locked --test campaign
	@scripts/fuzz $${LP_FUZZ_SECONDS:-1200}

install:
	@scripts/setup demo
	cargo install --locked --path .

$(LP): FORCE
	@scripts/setup demo
	@cargo build --release --locked --quiet

FORCE:

run-lp: $(LP)
	@$(LP) run

validate-all-configs: $(LP)
	@$(LP) check
