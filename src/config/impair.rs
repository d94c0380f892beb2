//! `[rtsp] impair`: what a run does to the network between servers and cameras.

use std::time::Duration;

use super::clip_options::bits_per_second;
use super::reader::{At, KeyNames, Reader, by, table};
use super::shape::{Shape, UnknownKeys};
use super::values::{duration, share, spanned, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::impair::Impairment;
use crate::model::{Camera, Transport};
use crate::time::duration_text;

/// Each answer of a server takes it, too, and a stream has to have its first frame within 10 s.
const MOST_DELAY: Duration = Duration::from_secs(2);

/// The least and the greatest rate, in bits per second.
const RATES: std::ops::RangeInclusive<u64> = 1_000..=10_000_000_000;

/// `impair` as written.
#[derive(Clone, Debug, Default)]
pub(super) struct RawImpairment {
    /// In millionths, like `reorder`.
    loss: Option<Spanned<u32>>,
    delay: Option<Spanned<Duration>>,
    jitter: Option<Spanned<Duration>>,
    rate: Option<Spanned<u64>>,
    reorder: Option<Spanned<u32>>,
    seed: Option<u64>,
}

pub(super) fn impairment() -> impl Reader<Value = RawImpairment> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let loss = "The share of packets that are lost: `2%` or 0.02; needs `transport = \"udp\"`";
        let delay = "How long each packet takes: `40ms`";
        let jitter = "By how much that is shorter or longer at most: `20ms`";
        let rate = "Bits per second of each stream: `4mbit` or `500kbit`";
        let reorder =
            "The share of packets that the next one overtakes: `1%` or 0.01; needs `transport = \"udp\"`";
        let seed = "Which packets are lost, reordered or late: another seed, other packets; 0 if not given";
        Some(RawImpairment {
            loss: table.optional("loss", loss, spanned(millionths()), diagnostics),
            delay: table.optional("delay", delay, spanned(duration()), diagnostics),
            jitter: table.optional("jitter", jitter, spanned(duration()), diagnostics),
            rate: table.optional("rate", rate, spanned(bit_rate()), diagnostics),
            reorder: table.optional("reorder", reorder, spanned(millionths()), diagnostics),
            seed: table.optional("seed", seed, whole(0, i64::from(u32::MAX)), diagnostics),
        })
    })
}

/// A share, or a percentage, in millionths.
fn millionths() -> impl Reader<Value = u32> + Copy {
    by(
        || {
            let percent = Shape::String(Some(r"^\s*[0-9.]+\s*%\s*$".to_owned()));
            Shape::Either(vec![share().shape(), percent])
        },
        |at, diagnostics| {
            let percent = at.as_string().and_then(|text| text.trim().strip_suffix('%'));
            let value = match percent {
                None => share().read(at, diagnostics)?,
                Some(percent) => match percent.trim().parse::<f64>() {
                    Ok(percent) if (0.0..=100.0).contains(&percent) => percent / 100.0,
                    _ => {
                        let message = format!("`{}` must be from `0%` to `100%`", at.name);
                        diagnostics.push(at.fault(codes::OUT_OF_RANGE, &message));
                        return None;
                    }
                },
            };
            let millionths = value * 1e6;
            if (millionths - millionths.round()).abs() > 1e-6 {
                let message = format!("`{}` must be a whole number of millionths: `0.0001%` is one", at.name);
                diagnostics.push(at.fault(codes::OUT_OF_RANGE, &message));
                return None;
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a share")]
            Some(millionths.round() as u32)
        },
    )
}

/// `4mbit`, `500kbit`, as `tc` has them.
fn bit_rate() -> impl Reader<Value = u64> + Copy {
    by(
        || Shape::String(Some(r"^\s*[0-9]+(\.[0-9]+)?\s*[kmg]bit\s*$".to_owned())),
        |at: &At<'_>, diagnostics: &mut Diagnostics| {
            let number = |unit| Some(at.as_string()?.trim().strip_suffix(unit)?.trim_end());
            let bits = [("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)];
            let bits = bits.into_iter().find_map(|(unit, factor)| bits_per_second(number(unit)?, factor));
            let rate = bits.filter(|bits| RATES.contains(bits));
            if rate.is_none() {
                let right = "bits per second from `1kbit` to `10gbit`, such as `4mbit` or `500kbit`";
                diagnostics.push(at.fault(codes::BAD_BIT_RATE, &format!("`{}` must be {right}", at.name)));
            }
            rate
        },
    )
}

/// What counts; `None` if nothing is done.
pub(super) fn impairment_of(raw: &RawImpairment) -> Option<Impairment> {
    let RawImpairment { loss, delay, jitter, rate, reorder, seed } = raw;
    let millis = |time: &Option<Spanned<Duration>>| {
        time.as_ref().map_or(0, |time| u32::try_from(time.value.as_millis()).unwrap_or(u32::MAX))
    };
    let impairment = Impairment {
        loss_ppm: loss.as_ref().map_or(0, |loss| loss.value),
        delay_ms: millis(delay),
        jitter_ms: millis(jitter),
        rate_bps: rate.as_ref().map(|rate| rate.value),
        reorder_ppm: reorder.as_ref().map_or(0, |reorder| reorder.value),
        seed: seed.unwrap_or(0),
    };
    Some(impairment).filter(|impairment| !impairment.is_nothing())
}

/// Warns of a network that nothing comes over.
pub(super) fn check_use(raw: &RawImpairment, cameras: &[Camera], diagnostics: &mut Diagnostics) {
    let receives = cameras.iter().any(|camera| camera.source.stream().is_some());
    // Where there are errors, cameras may be missing.
    if impairment_of(raw).is_none() || cameras.is_empty() || receives || diagnostics.has_errors() {
        return;
    }
    let RawImpairment { loss, delay, jitter, rate, reorder, .. } = raw;
    let [loss, reorder] = [loss, reorder].map(|share| share.as_ref().map(|share| share.place));
    let [delay, jitter] = [delay, jitter].map(|time| time.as_ref().map(|time| time.place));
    let rate = rate.as_ref().map(|rate| rate.place);
    let Some(place) = loss.or(delay).or(jitter).or(rate).or(reorder) else { return };
    let message = "`rtsp.impair` changes nothing: no camera receives RTSP";
    let help = "set `run.source` to `rtsp`, and `rtsp.host` to `localhost`, so that `lp` serves the clips; or take `impair` out";
    diagnostics.push(Diagnostic::warning(codes::IDLE_IMPAIRMENT, message).at(place).help(help));
}

/// Refuses what does not go together: single packets, where streams come in TCP; and more jitter than
/// delay.
///
/// `encrypted` is the name of a camera whose stream comes in TLS, and the place of that.
pub(super) fn check(
    raw: &RawImpairment,
    transport: Transport,
    encrypted: Option<(&str, Place)>,
    diagnostics: &mut Diagnostics,
) {
    let RawImpairment { loss, delay, jitter, reorder, .. } = raw;
    for (key, time) in [("delay", delay), ("jitter", jitter)] {
        if let Some(time) = time.as_ref().filter(|time| MOST_DELAY < time.value) {
            let message = format!("`rtsp.impair.{key}` must be at most `{}`", duration_text(MOST_DELAY));
            diagnostics.push(Diagnostic::error(codes::OUT_OF_RANGE, message).at(time.place));
        }
        if let Some(time) = time.as_ref().filter(|time| time.value.subsec_nanos() % 1_000_000 != 0) {
            let message = format!("`rtsp.impair.{key}` must be a whole number of milliseconds");
            diagnostics.push(Diagnostic::error(codes::OUT_OF_RANGE, message).at(time.place));
        }
    }
    let most = delay.as_ref().map_or(Duration::ZERO, |delay| delay.value);
    if let Some(jitter) = jitter.as_ref().filter(|jitter| most < jitter.value) {
        let message = "`rtsp.impair.jitter` must not be above `rtsp.impair.delay`";
        let help = "no packet leaves before it has come; give a `delay` of at least the jitter";
        diagnostics.push(Diagnostic::error(codes::IMPAIRMENT, message).at(jitter.place).help(help));
    }
    for (key, share) in [("loss", loss), ("reorder", reorder)] {
        let Some(share) = share.as_ref().filter(|share| share.value > 0) else { continue };
        let fault = |message: String| Diagnostic::error(codes::IMPAIRMENT, message).at(share.place);
        let how = match transport {
            Transport::Udp => None,
            Transport::Tcp => Some("come in TCP, which loses none"),
            Transport::Auto => Some("may come in TCP, which loses none"),
        };
        if let Some(how) = how {
            let message = format!("`rtsp.impair.{key}` is for single packets, but streams {how}");
            let help = format!("set `rtsp.transport` to `udp`, or take `{key}` out");
            diagnostics.push(fault(message).help(help));
        } else if let Some((name, place)) = encrypted {
            let message = format!(
                "`rtsp.impair.{key}` is for single packets, but the stream of `{name}` comes in TLS, and so in TCP"
            );
            let help = format!("take `{key}` out, or this camera; `delay`, `jitter` and `rate` are possible");
            diagnostics.push(fault(message).also(place, "its stream").help(help));
        }
    }
}
