//! NVIDIA's management library (NVML), loaded while `lp` runs: nothing is linked, and a machine without
//! the driver has no `libnvidia-ml.so.1`.
//!
//! Source: <https://docs.nvidia.com/deploy/nvml-api/>, by the crate `nvml-wrapper`. Not here: the names
//! of series (`collect::nvidia`).

use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;

/// The GPUs of NVIDIA's driver.
#[derive(Debug)]
pub struct NvidiaGpus {
    nvml: Nvml,
    n: u32,
}

/// What a GPU says now; `None` is what it, or its driver, does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NvidiaReading {
    /// The share of the last period (up to a second) in which a kernel ran, 0 to 1.
    pub busy: Option<f64>,
    /// The share in which memory was read or written.
    pub memory_busy: Option<f64>,
    /// The shares of the video encoders and decoders.
    pub encode: Option<f64>,
    pub decode: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Watts.
    pub power: Option<f64>,
    /// Hz, of the graphics clock.
    pub frequency: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Whether heat or the power supply holds the clock down now.
    pub slowed: Option<bool>,
    /// Whether the limit of power does.
    pub power_capped: Option<bool>,
}

impl NvidiaGpus {
    /// Loads the library. The reason if that fails, or if it finds no driver.
    ///
    /// # Errors
    /// As said.
    pub fn open() -> Result<NvidiaGpus, String> {
        let nvml = Nvml::init().map_err(|error| reason(&error))?;
        let n = nvml.device_count().map_err(|error| reason(&error))?;
        Ok(NvidiaGpus { nvml, n })
    }

    /// The number of GPUs.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.n
    }

    /// Reads the GPU of this number, from 0. One that has fallen off the bus says nothing.
    #[must_use]
    pub fn read(&self, gpu: u32) -> NvidiaReading {
        let Ok(device) = self.nvml.device_by_index(gpu) else { return NvidiaReading::default() };
        let share = |percent: u32| f64::from(percent) / 100.0;
        let utilization = device.utilization_rates().ok();
        let reasons = device.current_throttle_reasons().ok();
        let slowdowns = ThrottleReasons::HW_SLOWDOWN
            | ThrottleReasons::SW_THERMAL_SLOWDOWN
            | ThrottleReasons::HW_THERMAL_SLOWDOWN;
        NvidiaReading {
            busy: utilization.as_ref().map(|of| share(of.gpu)),
            memory_busy: utilization.as_ref().map(|of| share(of.memory)),
            encode: device.encoder_utilization().ok().map(|of| share(of.utilization)),
            decode: device.decoder_utilization().ok().map(|of| share(of.utilization)),
            memory: device.memory_info().ok().map(|of| of.used),
            power: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            frequency: device.clock_info(Clock::Graphics).ok().map(|megahertz| f64::from(megahertz) * 1e6),
            temperature: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
            slowed: reasons.map(|reasons| reasons.intersects(slowdowns)),
            power_capped: reasons.map(|reasons| reasons.contains(ThrottleReasons::SW_POWER_CAP)),
        }
    }
}

fn reason(error: &NvmlError) -> String {
    match error {
        // It names the library, and what the loader says.
        NvmlError::LibloadingError(error) => error.to_string(),
        other => other.to_string(),
    }
}
