//! GPUs of NVIDIA, as its management library has them: busy shares of the GPU, its memory, video
//! encoder and decoder, memory, power, clock, temperature, and whether it is held down.
//!
//! They are those of all programs: the driver divides them by process only for the busy share, and
//! by process numbers that a container does not have.
//!
//! Not here: the library ([`os::nvml`](crate::os::nvml)).

use std::path::Path;

use super::{CollectError, Collector, Place, Series};
use crate::os::nvml::{NvidiaGpus, NvidiaReading};

/// Its name in records.
pub const NAME: &str = "nvidia";

const WHAT: &str = "no GPU of NVIDIA is measured";

/// A value of a reading.
type Value = fn(&NvidiaReading) -> Option<f64>;

/// A quantity: its name and unit, and its value.
type Quantity = (&'static str, &'static str, Value);

/// What is read of each GPU.
const QUANTITIES: [Quantity; 10] = [
    ("busy", "1", |reading| reading.busy),
    ("memory_busy", "1", |reading| reading.memory_busy),
    ("encode", "1", |reading| reading.encode),
    ("decode", "1", |reading| reading.decode),
    ("memory.vram", "By", |reading| reading.memory.map(|bytes| bytes as f64)),
    ("power", "W", |reading| reading.power),
    ("frequency", "Hz", |reading| reading.frequency),
    ("temperature", "Cel", |reading| reading.temperature),
    ("slowed", "1", |reading| reading.slowed.map(f64::from)),
    ("power_capped", "1", |reading| reading.power_capped.map(f64::from)),
];

/// Where readings come from.
trait Source {
    fn count(&self) -> u32;
    fn read(&self, gpu: u32) -> NvidiaReading;
}

impl Source for NvidiaGpus {
    fn count(&self) -> u32 {
        NvidiaGpus::count(self)
    }

    fn read(&self, gpu: u32) -> NvidiaReading {
        NvidiaGpus::read(self, gpu)
    }
}

struct NvidiaSampler<S> {
    source: S,
    series: Vec<Series>,
    /// The GPU and the quantity of each series.
    quantities: Vec<(u32, Value)>,
    missing: Vec<(String, String)>,
}

/// Loads NVML and begins to sample.
///
/// # Errors
/// When there is no driver, or no GPU of it; and for the files of another machine.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    if place.root != Path::new("/") {
        let reason = format!("`{}` is another machine, and NVML knows only this one", place.root.display());
        return Err(CollectError::Unavailable { what: WHAT, reason });
    }
    let source = NvidiaGpus::open().map_err(|reason| CollectError::Unavailable { what: WHAT, reason })?;
    Ok(Box::new(NvidiaSampler::of(source)?))
}

impl<S: Source> NvidiaSampler<S> {
    fn of(source: S) -> Result<NvidiaSampler<S>, CollectError> {
        if source.count() == 0 {
            let reason = "its driver has found none".to_owned();
            return Err(CollectError::Unavailable { what: WHAT, reason });
        }
        let (mut series, mut quantities, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for gpu in 0..source.count() {
            let reading = source.read(gpu);
            for (name, unit, value) in QUANTITIES {
                let name = format!("gpu.nvidia{gpu}.{name}");
                if value(&reading).is_some() {
                    series.push(Series::new(name, unit));
                    quantities.push((gpu, value));
                } else {
                    missing.push((name, "NVML does not say it of this GPU".to_owned()));
                }
            }
        }
        Ok(NvidiaSampler { source, series, quantities, missing })
    }
}

impl<S: Source> Collector for NvidiaSampler<S> {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone()
    }

    fn sample(&mut self, _: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let readings: Vec<NvidiaReading> =
            (0..self.source.count()).map(|gpu| self.source.read(gpu)).collect();
        let value = |(gpu, value): &(u32, Value)| value(&readings[*gpu as usize]);
        Ok(self.quantities.iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use expect_test::expect;

    use super::super::tests::{Tree, sampled};
    use super::*;

    /// Each reading is given once; the first GPU's, then the second's.
    struct Told(RefCell<Vec<NvidiaReading>>, u32);

    impl Source for Told {
        fn count(&self) -> u32 {
            self.1
        }

        fn read(&self, _: u32) -> NvidiaReading {
            self.0.borrow_mut().remove(0)
        }
    }

    #[test]
    fn each_gpu_has_what_its_driver_says() {
        let whole = NvidiaReading {
            busy: Some(0.5),
            memory_busy: Some(0.25),
            encode: Some(0.0),
            decode: Some(0.97),
            memory: Some(1 << 30),
            power: Some(72.5),
            frequency: Some(1.98e9),
            temperature: Some(61.0),
            slowed: Some(false),
            power_capped: Some(true),
        };
        let shared = NvidiaReading { memory: Some(7), ..NvidiaReading::default() };
        let gone = NvidiaReading::default();
        let source = Told(RefCell::new(vec![whole, shared, whole, gone]), 2);
        let mut sampler = NvidiaSampler::of(source).unwrap();
        sampler.missing.truncate(1);
        expect![[r#"
            gpu.nvidia0.busy 0.5 1
            gpu.nvidia0.memory_busy 0.25 1
            gpu.nvidia0.encode 0 1
            gpu.nvidia0.decode 0.97 1
            gpu.nvidia0.memory.vram 1073741824 By
            gpu.nvidia0.power 72.5 W
            gpu.nvidia0.frequency 1980000000 Hz
            gpu.nvidia0.temperature 61 Cel
            gpu.nvidia0.slowed 0 1
            gpu.nvidia0.power_capped 1 1
            gpu.nvidia1.memory.vram unknown By
            gpu.nvidia1.busy: NVML does not say it of this GPU
        "#]]
        .assert_eq(&sampled(&mut sampler, 0, &Tree::of(&[])));
    }

    #[test]
    fn a_driver_without_gpus_and_another_machine_have_a_reason() {
        let none = NvidiaSampler::of(Told(RefCell::new(Vec::new()), 0)).err().unwrap();
        assert_eq!(none.reason(), "no GPU of NVIDIA is measured: its driver has found none");
        let other = start(&Place::here(Path::new("/srv/recorded"))).err().unwrap();
        assert_eq!(
            other.reason(),
            "no GPU of NVIDIA is measured: `/srv/recorded` is another machine, and NVML knows only this one"
        );
    }
}
