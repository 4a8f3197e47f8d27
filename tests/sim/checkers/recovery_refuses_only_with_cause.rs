//! A start is refused only because of rot in the journal, the checkpoint or the metadata (S4, S13, S14).

use crate::outcome::Halt;
use crate::rot::RotKind;
use crate::world::World;

/// A start was refused with this text.
pub fn judge(world: &mut World, text: &str) -> Halt {
    match &world.rot {
        Some(rot) if rot.kind != RotKind::Segment => {
            world.coverage.hit("start refused because of rot");
            Halt::Ended(format!("refused because of rot in {}: {text}", rot.text))
        }
        // A change of cores is refused while a partition is offline (S19).
        Some(rot) if world.cores_before != world.cores_wanted => {
            Halt::Ended(format!("change of cores refused because of rot in {}: {text}", rot.text))
        }
        Some(rot) => Halt::Violation(format!("REFUSED although only {} rotted: {text}", rot.text)),
        None => Halt::Violation(format!("REFUSED without a cause: {text}")),
    }
}
