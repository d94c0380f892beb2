//! `device` and `ie-config` of elements that infer, as OpenVINO needs them.
//!
//! Upstream's configs have names of OpenVINO 2021, which today's refuses; they are mapped as
//! DL Streamer maps them. What is not set gets the defaults of [`Config::new`], which differ from
//! OpenVINO's in three things, for the CPU alone:
//!
//! | property | value | otherwise |
//! |---|---|---|
//! | `ENABLE_CPU_PINNING` | `NO` | each process pins its thread to the first core, and two workers share it |
//! | `INFERENCE_NUM_THREADS` | `1` | two threads for one camera cost a quarter more CPU time per frame |
//! | `INFERENCE_PRECISION_HINT` | `f32` | on CPUs with AVX-512 or AMX, bf16: faster, and other numbers than elsewhere |
//!
//! Pure. Not here: whether a device has a property (`engine`).

use std::collections::BTreeMap;

/// The CPU's defaults.
const CPU: [(&str, &str); 3] =
    [("ENABLE_CPU_PINNING", "NO"), ("INFERENCE_NUM_THREADS", "1"), ("INFERENCE_PRECISION_HINT", "f32")];

/// Names of OpenVINO 2021 and 2022, and their names of today.
const LEGACY: [(&str, &str); 4] = [
    ("CPU_THROUGHPUT_STREAMS", "NUM_STREAMS"),
    ("GPU_THROUGHPUT_STREAMS", "NUM_STREAMS"),
    ("CPU_THREADS_NUM", "INFERENCE_NUM_THREADS"),
    ("CPU_BIND_THREAD", "ENABLE_CPU_PINNING"),
];

/// Values of the precision hint that OpenVINO does not understand, in its own words.
const PRECISIONS: [(&str, &str); 6] =
    [("FP32", "f32"), ("fp32", "f32"), ("F32", "f32"), ("FP16", "f16"), ("fp16", "f16"), ("BF16", "bf16")];

/// A device, and the properties with which models are compiled for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Config {
    /// As OpenVINO writes it: `CPU`, `GPU.1`, `AUTO:GPU,CPU`.
    pub(super) device: String,
    pub(super) properties: BTreeMap<String, String>,
}

impl Config {
    /// From the values of `device` and `ie-config`.
    ///
    /// # Errors
    /// A sentence without its full stop, about a part that is no `KEY=VALUE` or an unknown device.
    pub(super) fn new(device: &str, ie_config: &str) -> Result<Config, String> {
        let device = device.trim().to_uppercase();
        let device = if device == "CPU.0" { "CPU".to_owned() } else { device };
        let mut config = Config { device, properties: BTreeMap::new() };
        let unknown: Vec<&str> = config.single().into_iter().filter(|one| !is_known(one)).collect();
        if !unknown.is_empty() {
            return Err(format!(
                "`device={}` names `{}`, but the devices are CPU, GPU, GPU.1 and so on, and NPU; \
                 and AUTO, MULTI and HETERO with a list of these",
                config.device,
                unknown.join("`, `")
            ));
        }
        if config.single().contains(&"CPU") {
            config.properties = CPU.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        }
        for part in ie_config.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
            else {
                return Err(format!(
                    "`ie-config` has `{part}`, but its parts are KEY=VALUE, joined by commas"
                ));
            };
            let name = LEGACY.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new);
            let value = match name {
                "INFERENCE_PRECISION_HINT" => {
                    PRECISIONS.iter().find(|(other, _)| *other == value).map_or(value, |(_, own)| own)
                }
                // Upstream's word for what it lets OpenVINO choose.
                "NUM_STREAMS" if value.ends_with("THROUGHPUT_AUTO") => "AUTO",
                _ => value,
            };
            config.properties.insert(name.to_owned(), value.to_owned());
        }
        Ok(config)
    }

    /// Leaves a model that runs on the CPU at most so many threads; 0, which is OpenVINO's word for all
    /// cores, becomes this number, since OpenVINO does not mind the quotas of control groups. Returns
    /// how many were asked for, if fewer are left.
    pub(super) fn limit_threads(&mut self, n_cores: usize) -> Option<usize> {
        let threads = self.properties.get_mut("INFERENCE_NUM_THREADS")?;
        // What is no number OpenVINO refuses by itself.
        let asked: usize = threads.parse().ok()?;
        if asked == 0 || asked > n_cores {
            *threads = n_cores.to_string();
        }
        (asked > n_cores).then_some(asked)
    }

    /// The devices that it names: `GPU` and `CPU` of `AUTO:GPU,CPU`; `CPU` of `AUTO`, which may
    /// always fall back to it.
    pub(super) fn single(&self) -> Vec<&str> {
        match self.device.split_once(':') {
            Some((_, list)) => {
                list.split(',').map(|one| one.split('(').next().unwrap_or(one).trim()).collect()
            }
            None if self.device == "AUTO" => vec!["CPU"],
            None => vec![self.device.as_str()],
        }
    }
}

fn is_known(device: &str) -> bool {
    let device = device.strip_prefix('-').unwrap_or(device);
    let number = |rest: &str| {
        rest.strip_prefix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    ["CPU", "GPU", "NPU"].iter().any(|known| {
        device.strip_prefix(known).is_some_and(|rest| rest.is_empty() || *known != "CPU" && number(rest))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(device: &str, ie_config: &str, expect: Expect) {
        let text = match Config::new(device, ie_config) {
            Ok(config) => {
                let properties: Vec<String> =
                    config.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {}", config.device, properties.join(" "))
            }
            Err(reason) => reason,
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn upstreams_lines_get_names_of_today() {
        check(
            "cpu",
            "CPU_THROUGHPUT_STREAMS=2",
            expect![
                "CPU ENABLE_CPU_PINNING=NO INFERENCE_NUM_THREADS=1 INFERENCE_PRECISION_HINT=f32 NUM_STREAMS=2"
            ],
        );
        check("GPU", "GPU_THROUGHPUT_STREAMS=2", expect!["GPU NUM_STREAMS=2"]);
        check(
            "CPU",
            "CPU_THREADS_NUM=4, CPU_BIND_THREAD=YES, INFERENCE_PRECISION_HINT=BF16,PERF_COUNT=YES",
            expect![
                "CPU ENABLE_CPU_PINNING=YES INFERENCE_NUM_THREADS=4 INFERENCE_PRECISION_HINT=bf16 PERF_COUNT=YES"
            ],
        );
        check("GPU", "GPU_THROUGHPUT_STREAMS=GPU_THROUGHPUT_AUTO", expect!["GPU NUM_STREAMS=AUTO"]);
        check(
            "AUTO:gpu.1,cpu",
            "",
            expect![
                "AUTO:GPU.1,CPU ENABLE_CPU_PINNING=NO INFERENCE_NUM_THREADS=1 INFERENCE_PRECISION_HINT=f32"
            ],
        );
        check("NPU", "", expect!["NPU "]);
    }

    #[test]
    fn threads_are_no_more_than_the_cores() {
        let limited = |device: &str, ie_config: &str, n_cores: usize| {
            let mut config = Config::new(device, ie_config).unwrap();
            let asked = config.limit_threads(n_cores);
            (config.properties.get("INFERENCE_NUM_THREADS").cloned(), asked)
        };
        let some = |n: &str| Some(n.to_owned());
        assert_eq!(limited("CPU", "", 8), (some("1"), None));
        assert_eq!(limited("CPU", "CPU_THREADS_NUM=4", 8), (some("4"), None));
        assert_eq!(limited("CPU", "INFERENCE_NUM_THREADS=4", 2), (some("2"), Some(4)));
        assert_eq!(limited("CPU", "INFERENCE_NUM_THREADS=0", 3), (some("3"), None));
        assert_eq!(limited("CPU", "INFERENCE_NUM_THREADS=many", 2), (some("many"), None));
        assert_eq!(limited("GPU", "", 2), (None, None));
    }

    #[test]
    fn what_is_no_device_or_no_pair_is_refused() {
        check(
            "CPU",
            "NUM_STREAMS",
            expect!["`ie-config` has `NUM_STREAMS`, but its parts are KEY=VALUE, joined by commas"],
        );
        check(
            "MULTI:GPU,TPU",
            "",
            expect![
                "`device=MULTI:GPU,TPU` names `TPU`, but the devices are CPU, GPU, GPU.1 and so on, and NPU; and AUTO, MULTI and HETERO with a list of these"
            ],
        );
    }
}
