//! The network between servers and cameras: as it is, or impaired by a relay.
//!
//! The relay runs in this process, so that it ends with it however that ends, and needs neither a
//! worker nor a container. Its CPU time is among that of `lp`.

use crate::action::ActionError;
use crate::impair::Impairment;
use crate::os::relay::Relay;
use crate::pipeline::{PipelineSpec, Value};
use crate::record::RunRecord;

/// The network of a measurement. What it does ends when it is dropped.
pub(in crate::action) struct Network(Option<Relay>);

impl Network {
    /// # Errors
    /// When there can be no relay.
    pub(in crate::action) fn new(impair: Option<Impairment>) -> Result<Network, ActionError> {
        let relay = impair.map(Relay::start).transpose().map_err(ActionError::Network)?;
        Ok(Network(relay))
    }

    /// Lets the pipeline of a stream receive over it: `rtspsrc` connects to its `proxy`, and goes on
    /// naming the camera in its requests and messages.
    ///
    /// # Errors
    /// When no port can be had.
    pub(super) fn lay(&self, stream: &str, spec: &mut PipelineSpec) -> Result<(), ActionError> {
        let Some(relay) = &self.0 else { return Ok(()) };
        for element in spec.elements.iter_mut().filter(|element| element.factory == "rtspsrc") {
            let uri = element.properties.iter().find(|property| property.name == "location");
            let Some(Value::Text(uri)) = uri.map(|property| &property.value) else { continue };
            let at = relay.route(stream, uri).map_err(ActionError::Network)?;
            *element = element.clone().text("proxy", &at.to_string());
        }
        Ok(())
    }

    /// Writes into a record what became of the packets of its streams.
    pub(super) fn tell(&self, record: &mut RunRecord) {
        let Some(relay) = &self.0 else { return };
        for stream in record.members.iter_mut().flat_map(|member| &mut member.streams) {
            let mut together = std::iter::once(&stream.stream).chain(&stream.shares_decode_with);
            stream.impaired = together.find_map(|name| relay.passage(name));
        }
    }
}
