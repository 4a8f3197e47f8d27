//! S20: what the weaker durability classes may lose, and when.

use crate::plant::Plant;
use crate::planted::is_caught;

#[test]
fn planted_s20_kill_loses_writes() {
    is_caught(Plant::S20KillLosesWrites, &["LOST"]);
}
