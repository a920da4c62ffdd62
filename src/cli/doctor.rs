//! `pichroot doctor`.
use super::args::DoctorArgs;
use crate::error::Result;
/// x
pub fn run(_: &DoctorArgs) -> Result<u8> {
    Ok(0)
}
