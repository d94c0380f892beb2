//! `lpreid`: numbers persons by the embeddings that `gvainference` gave for their regions, in the place of
//! upstream's `gvapython` with `person_reid.py`.
//!
//! It adds an attribute `person` to each region with a tensor, whose label is the person's number and
//! whose confidence is 1 less the distance (`vision::identify`). A region without a tensor, on a frame
//! that `gvainference` leaves out, gets the person of its object, if a tracker has numbered it.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::vision::identify::{DISTANCE, Persons};

use super::classify::ATTRIBUTE;
use super::element::{About, Settings, Work, remark};
use super::{frame, roi, tensor};

/// Numbers of objects that are remembered: the newest.
const OBJECTS: usize = 1000;

pub(super) struct Reid {
    persons: Persons,
    /// The person that an object was when it was last identified.
    objects: BTreeMap<i32, u32>,
}

impl Work for Reid {
    const ABOUT: About = About {
        name: "Person re-identification",
        class: "Metadata",
        description: "Numbers persons by the distance of their embeddings",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecFloat::builder("distance")
                .blurb("The greatest distance of one person's embeddings: 1 less the cosine of their angle")
                .minimum(0.0)
                .maximum(2.0)
                .default_value(DISTANCE)
                .mutable_ready()
                .build(),
        ]
    }

    fn caps() -> gst::Caps {
        frame::any_caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Reid, String> {
        let distance = settings.real("distance");
        remark(
            element,
            &format!(
                "`person_reid.py` was not run: `lp-worker` numbers persons by the distance of their embeddings, \
                 at most {distance}"
            ),
        );
        Ok(Reid { persons: Persons::new(distance), objects: BTreeMap::new() })
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let (mut regions, mut embeddings) = (Vec::new(), Vec::new());
        for region in roi::all(buffer) {
            let embedding = region.parameters.iter().rfind(|one| one.name() == tensor::TENSOR);
            let embedding = embedding.and_then(|one| tensor::values(one));
            let object = region.object();
            match (embedding, object.and_then(|object| self.objects.get(&object))) {
                (Some(embedding), _) => {
                    regions.push((region.id, object));
                    embeddings.push(embedding);
                }
                (None, Some(person)) => roi::add_parameter(buffer, region.id, attribute(*person, None)),
                (None, None) => {}
            }
        }
        for ((region, object), found) in regions.into_iter().zip(self.persons.identify(&embeddings)) {
            let Some(person) = found else { continue };
            roi::add_parameter(buffer, region, attribute(person.number, Some(1.0 - person.distance)));
            if let Some(object) = object {
                self.objects.insert(object, person.number);
            }
        }
        while self.objects.len() > OBJECTS {
            self.objects.pop_first();
        }
        Ok(())
    }
}

fn attribute(person: u32, confidence: Option<f32>) -> gst::Structure {
    let mut structure = gst::Structure::builder(ATTRIBUTE)
        .field("attribute_name", "person")
        .field("label", person.to_string())
        .field("label_id", i32::try_from(person).unwrap_or(i32::MAX));
    if let Some(confidence) = confidence {
        structure = structure.field("confidence", f64::from(confidence));
    }
    structure.build()
}
