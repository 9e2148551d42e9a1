//! Zones that a volume type is bound to: the reserved spec `RESKEY:availability_zones` (3.52).

use crate::ControlError;
use crate::backend::BackendHandle;
use crate::backends::Backends;
use crate::specs::FullType;

/// The spec, a list separated by commas.
const SPEC: &str = "RESKEY:availability_zones";

/// The zone a volume is made in: the one asked for, if its type may be there; else the first of its type's; else none.
///
/// # Errors
/// `Invalid` for a zone that there is not, and for one that is none of the type's.
pub(super) fn zone_of(
    backends: &Backends,
    asked: Option<String>,
    full: Option<&FullType>,
) -> Result<Option<String>, ControlError> {
    let spec = full.and_then(|full| full.volume_type.extra_specs.get(SPEC));
    let zones = spec.map(|spec| spec.split(',').map(str::trim));
    let zones: Vec<&str> = zones
        .into_iter()
        .flatten()
        .filter(|zone| !zone.is_empty())
        .collect();
    if let Some(asked) = asked.as_deref().filter(|asked| !exists(backends, asked)) {
        return Err(ControlError::invalid(format!(
            "Availability zone '{asked}' is invalid."
        )));
    }
    match asked {
        Some(asked) if !zones.is_empty() && !zones.contains(&asked.as_str()) => {
            Err(ControlError::input(format!(
                "The type's availability zones ({}) do not include {asked}.",
                zones.join(", ")
            )))
        }
        Some(asked) => Ok(Some(asked)),
        None => Ok(zones.first().map(|zone| (*zone).to_owned())),
    }
}

/// Whether a backend is in the zone, or it is that of volumes for which none is named.
pub(crate) fn exists(backends: &Backends, zone: &str) -> bool {
    let here = |backend: &BackendHandle| backend.config().availability_zone == zone;
    zone == backends.config().availability_zone || backends.backends().any(|backend| here(&backend))
}
