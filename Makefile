# A new machine needs only `make demo` and `make test`; run-lp, validate-all-configs,
# benchmark-stream-density, consolidate-metrics, plot-metrics, download-models, download-sample-videos and
# check-models have the names of upstream's targets.
LP = target/release/lp

.PHONY: demo docker-demo docker-images test bench campaign install run-lp validate-all-configs benchmark-stream-density \
	consolidate-metrics plot-metrics download-models download-sample-videos check-models

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

# LP_FUZZ_SECONDS sets the seconds for each of the six fuzz targets.
campaign:
	@scripts/setup test
	@LP_CAMPAIGN_FULL=1 cargo test --locked --test campaign
	@LP_CAMPAIGN_FULL=1 LP_CAMPAIGN_PART=density cargo test --release --locked --test campaign
	@LP_CAMPAIGN_FULL=1 cargo test --release --locked --test gst -- serve:: outages::
	@LP_CAMPAIGN_FULL=1 cargo test --release --locked --lib comparison::simulated -- --nocapture
	@scripts/elsewhere
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

# Reads upstream's variables; docs/from-upstream.md says what they mean here.
benchmark-stream-density: $(LP)
	@LP=$(LP) scripts/density

# Read upstream's RESULTS_DIR; results of upstream there are imported first.
consolidate-metrics: $(LP)
	@LP=$(LP) scripts/consolidate metrics

plot-metrics: $(LP)
	@LP=$(LP) scripts/consolidate plot

download-models: $(LP)
	@$(LP) assets fetch --models

download-sample-videos: $(LP)
	@$(LP) assets fetch --clips

# Ends with an error if a model is missing or wrong.
check-models: $(LP)
	@$(LP) assets verify --models --complete -v
