//! Groups come to be, rebalance and fall apart, as members see it.

use crate::client::*;
use crate::world::{Client, World, per_machine};
use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;

/// Without any wait for members, unless a test wants it.
pub const QUICK: (&str, &str) = ("group.initial.rebalance.delay.ms", "0");
const CONSUMER: &str = "consumer";

pub fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Finds a group's coordinator and gives a connection to it.
pub fn coordinator(world: &mut World, group: &str) -> Client {
    let client = world.connect(0);
    let asked = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
    let found = world.call(client, 6, &asked).coordinators.remove(0);
    assert_eq!(found.error_code, 0);
    world.connect(usize::try_from(found.node_id.0).expect("machine 0"))
}

/// A request to join with protocol "range".
pub fn join(group: &str, member: &str) -> JoinGroupRequest {
    let metadata = Bytes::from(format!("metadata of {member}"));
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(member))
        .with_protocol_type(text(CONSUMER))
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata)])
}

pub fn with_protocols(request: JoinGroupRequest, protocols: &[&str]) -> JoinGroupRequest {
    let one = |name: &&str| {
        let metadata = Bytes::from(format!("{name} of {}", request.member_id));
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(metadata)
    };
    let protocols = protocols.iter().map(one).collect();
    request.with_protocols(protocols)
}

pub fn sync(group: &str, member: &str, generation: i32, assignments: &[(&str, &str)]) -> SyncGroupRequest {
    let one = |(member, assignment): &(&str, &str)| {
        let assignment = Bytes::from(assignment.to_string());
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(assignment)
    };
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(assignments.iter().map(one).collect())
}

pub fn heartbeat(world: &mut World, client: Client, group: &str, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default().with_group_id(group_id(group)).with_member_id(text(member));
    world.call(client, 4, &request.with_generation_id(generation)).error_code
}

pub fn leave(world: &mut World, client: Client, group: &str, member: &str) -> i16 {
    let member = MemberIdentity::default().with_member_id(text(member));
    let request = LeaveGroupRequest::default().with_group_id(group_id(group)).with_members(vec![member]);
    world.call(client, 5, &request).members[0].error_code
}

/// Joins with a fresh id, through the handshake; the answer is still to come.
pub fn begin_join(world: &mut World, client: Client, request: &JoinGroupRequest) -> String {
    let refused = world.call(client, 9, request);
    assert_eq!(refused.error_code, 79);
    let id = refused.member_id.to_string();
    world.send(client, 9, &request.clone().with_member_id(text(&id)));
    id
}

/// A group of its first member alone, in generation 1, with its assignment; gives the member id.
pub fn first_member(world: &mut World, client: Client, group: &str) -> String {
    let id = begin_join(world, client, &join(group, ""));
    let joined = world.receive::<JoinGroupRequest>(client);
    assert_eq!((joined.error_code, &*joined.leader), (0, &*id));
    let synced = world.call(client, 5, &sync(group, &id, joined.generation_id, &[(&id, "everything")]));
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"everything"[..]));
    id
}

pub fn state_of(world: &mut World, client: Client, group: &str) -> (String, usize) {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    let described = world.call(client, 5, &request).groups.remove(0);
    assert_eq!(described.error_code, 0);
    (described.group_state.to_string(), described.members.len())
}

/// C36: from version 4 each key is answered once, before it the answer is its top; the broker named is the one that answers;
/// another one says 16 to everything. A transactional id has none yet: 42 and node -1, so that nobody asks for ever.
#[test]
fn c36_coordinators_are_found_and_others_say_so() {
    let mut world = World::new(2, &[QUICK]);
    let client = world.connect(1);
    let keys = ["a", "b", "a", "console-consumer-12345"];
    let several = |kind: i8| {
        let keys = keys.iter().map(|key| text(key)).collect();
        FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(keys)
    };
    let found = world.call(client, 4, &several(0)).coordinators;
    let named: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(named, ["a", "b", "console-consumer-12345"], "each once");
    let cores: Vec<i32> = found.iter().map(|one| one.node_id.0).collect();
    let hosts: Vec<(i16, i32)> = found.iter().map(|one| (one.error_code, one.port)).collect();
    assert_eq!(hosts, cores.iter().map(|core| (0, 9092 + core)).collect::<Vec<_>>());
    if per_machine() {
        assert_eq!(cores, [0, 0, 0]);
    } else {
        assert!(cores.contains(&0) && cores.contains(&1), "groups are spread: {cores:?}");
    }
    for version in 0..=3 {
        let one = world.call(client, version, &FindCoordinatorRequest::default().with_key(text("b")));
        assert_eq!((one.error_code, one.node_id.0, one.port), (0, cores[1], 9092 + cores[1]));
    }
    for one in world.call(client, 4, &several(1)).coordinators {
        assert_eq!((one.error_code, one.node_id.0, one.port), (42, -1, -1));
    }
    assert_eq!(world.call(client, 3, &FindCoordinatorRequest::default().with_key_type(7)).error_code, 42);
    if per_machine() {
        return;
    }
    let stranger = world.connect(usize::from(cores[1] == 0));
    assert_eq!(world.call(stranger, 9, &join("b", "")).error_code, 16);
    assert_eq!(world.call(stranger, 5, &sync("b", "m", 1, &[])).error_code, 16);
    assert_eq!(heartbeat(&mut world, stranger, "b", "m", 1), 16);
    assert_eq!(world.call(stranger, 5, &LeaveGroupRequest::default().with_group_id(group_id("b"))).error_code, 16);
    let described =
        world.call(stranger, 5, &DescribeGroupsRequest::default().with_groups(vec![group_id("b"), group_id("b")]));
    assert_eq!(described.groups.iter().map(|one| one.error_code).collect::<Vec<_>>(), [16, 16]);
    let deleted = world.call(stranger, 2, &DeleteGroupsRequest::default().with_groups_names(vec![group_id("b")]));
    assert_eq!(deleted.results[0].error_code, 16);
    assert_eq!(world.call(stranger, 0, &OffsetDeleteRequest::default().with_group_id(group_id("b"))).error_code, 16);
}

/// C37: the id comes first (79), an unused one is kept for a session; before version 4 a member is let in at once. The leader alone sees
/// the others' metadata; the vote is for what all have; 23 without, 26 for odd sessions, 24 without a name.
#[test]
fn c37_joining() {
    let mut world = World::new(1, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = world.connect(one.core);
    let refused = world.call(one, 4, &join("g", ""));
    assert_eq!((refused.error_code, refused.generation_id), (79, -1));
    assert!(refused.member_id.starts_with("test-"), "{}", refused.member_id);
    assert_eq!(leave(&mut world, one, "g", &refused.member_id), 0, "else the rebalance would wait for it");
    assert_eq!(world.call(one, 9, &join("g", "stranger")).error_code, 25);
    let first = begin_join(&mut world, one, &with_protocols(join("g", ""), &["range", "sticky"]));
    let joined = world.receive::<JoinGroupRequest>(one);
    assert_eq!((joined.error_code, joined.generation_id, joined.protocol_name.as_deref()), (0, 1, Some("range")));
    assert_eq!(world.call(two, 9, &with_protocols(join("g", ""), &["other"])).error_code, 23);
    assert_eq!(world.call(two, 9, &join("g", "").with_protocol_type(text("connect"))).error_code, 23);
    assert_eq!(world.call(two, 9, &with_protocols(join("g", ""), &["range", "range"])).error_code, 23);
    for session in [5_999, 1_800_001, -1] {
        assert_eq!(world.call(two, 9, &join("g", "").with_session_timeout_ms(session)).error_code, 26);
    }
    assert_eq!(world.call(two, 9, &join("", "")).error_code, 24);
    // Version 3 has no handshake.
    world.send(two, 3, &with_protocols(join("g", ""), &["sticky", "range"]));
    assert!(world.try_receive::<JoinGroupRequest>(two).is_none(), "it waits for the first one");
    assert_eq!(heartbeat(&mut world, one, "g", &first, 1), 27);
    let again = world.call(one, 9, &with_protocols(join("g", &first), &["range", "sticky"]));
    let second = world.receive::<JoinGroupRequest>(two);
    assert_eq!((again.generation_id, second.generation_id), (2, 2));
    assert_eq!(
        (again.leader.as_str(), again.protocol_name.as_deref()),
        (&*first, Some("range")),
        "the leader's choice"
    );
    assert!(second.members.is_empty());
    let seen: Vec<(String, Bytes)> =
        again.members.iter().map(|one| (one.member_id.to_string(), one.metadata.clone())).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&(first.clone(), Bytes::from(format!("range of {first}")))));
    assert!(seen.contains(&(second.member_id.to_string(), Bytes::from("range of "))));
}

/// C37: no more than `group.max.size`, in whatever state; ids that were given out count too.
#[test]
fn c37_groups_have_a_largest_size() {
    let mut world = World::new(1, &[QUICK, ("group.max.size", "2")]);
    let clients: Vec<Client> = (0..4).map(|_| coordinator(&mut world, "g")).collect();
    for client in &clients[..2] {
        assert_eq!(world.call(*client, 9, &join("g", "")).error_code, 79);
    }
    assert_eq!(world.call(clients[2], 9, &join("g", "")).error_code, 81, "two ids are promised");
    world.advance(10_000);
    assert_eq!(state_of(&mut world, clients[3], "g"), ("Dead".to_string(), 0), "nobody used them");
    let first = first_member(&mut world, clients[0], "g");
    let second = begin_join(&mut world, clients[1], &join("g", ""));
    world.call(clients[0], 9, &join("g", &first));
    assert_eq!(world.receive::<JoinGroupRequest>(clients[1]).error_code, 0);
    assert_eq!(world.call(clients[2], 3, &join("g", "")).error_code, 81);
    assert_eq!(leave(&mut world, clients[1], "g", &second), 0);
    world.send(clients[2], 3, &join("g", ""));
    world.call(clients[0], 9, &join("g", &first));
    assert_eq!(world.receive::<JoinGroupRequest>(clients[2]).error_code, 0, "there is room again");
}

/// C38: members have the rebalance timeout to come back, not the session timeout; who does not is dropped. An empty group waits for the
/// initial delay, longer while members keep coming, but not beyond the rebalance timeout.
#[test]
fn c38_rebalances_wait_for_all_members() {
    let mut world = World::new(1, &[("group.initial.rebalance.delay.ms", "3000")]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let first = begin_join(&mut world, one, &join("g", ""));
    world.advance(2_900);
    let second = begin_join(&mut world, two, &join("g", ""));
    world.advance(200);
    assert!(world.try_receive::<JoinGroupRequest>(one).is_none(), "another came, so it waits once more");
    world.advance(2_900);
    let (a, b) = (world.receive::<JoinGroupRequest>(one), world.receive::<JoinGroupRequest>(two));
    assert_eq!((a.generation_id, b.generation_id), (1, 1), "one rebalance for both");
    world.post(one, 5, &sync("g", &first, 1, &[(&first, "x"), (&second, "y")]));
    world.send(two, 5, &sync("g", &second, 1, &[]));
    assert_eq!(&world.receive::<SyncGroupRequest>(one).assignment[..], b"x");
    assert_eq!(&world.receive::<SyncGroupRequest>(two).assignment[..], b"y");
    // A third one comes; the second is busy for longer than its session, but says that it lives.
    let three = coordinator(&mut world, "g");
    let third = begin_join(&mut world, three, &join("g", ""));
    assert_eq!(heartbeat(&mut world, one, "g", &first, 1), 27);
    world.send(one, 9, &join("g", &first));
    for _ in 0..7 {
        world.advance(8_000);
        assert_eq!(heartbeat(&mut world, two, "g", &second, 1), 27);
        assert!(world.try_receive::<JoinGroupRequest>(three).is_none());
    }
    world.advance(5_000);
    assert_eq!(world.receive::<JoinGroupRequest>(one).generation_id, 2, "the time is over");
    let joined = world.receive::<JoinGroupRequest>(three);
    assert_eq!((joined.generation_id, &*joined.member_id), (2, &*third));
    assert_eq!(heartbeat(&mut world, two, "g", &second, 1), 25, "it was dropped");
}

/// C39: followers wait for the leader; assignments come back byte for byte, an empty one with length zero; 22, 25, 27, and 23 for another protocol.
#[test]
fn c39_syncing() {
    let mut world = World::new(2, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let first = first_member(&mut world, one, "g");
    let second = begin_join(&mut world, two, &join("g", ""));
    assert_eq!(world.call(one, 5, &sync("g", &first, 1, &[])).error_code, 27);
    world.call(one, 9, &join("g", &first));
    world.receive::<JoinGroupRequest>(two);
    world.send(two, 5, &sync("g", &second, 2, &[]));
    assert!(world.try_receive::<SyncGroupRequest>(two).is_none(), "the leader has not said yet");
    assert_eq!(heartbeat(&mut world, one, "g", &first, 2), 0, "nothing is wrong meanwhile");
    assert_eq!(world.call(one, 5, &sync("g", &first, 1, &[])).error_code, 22);
    assert_eq!(world.call(one, 5, &sync("g", "nobody", 2, &[])).error_code, 25);
    assert_eq!(world.call(one, 5, &sync("absent", &first, 2, &[])).error_code, 25);
    let other = sync("g", &first, 2, &[]).with_protocol_name(Some(text("sticky")));
    assert_eq!(world.call(one, 5, &other).error_code, 23);
    let bytes = "\u{0}\u{1}bytes";
    let answer = world.call(one, 5, &sync("g", &first, 2, &[(&first, bytes), ("nobody", "z")]));
    assert_eq!(&answer.assignment[..], bytes.as_bytes());
    assert_eq!((answer.protocol_type.as_deref(), answer.protocol_name.as_deref()), (Some(CONSUMER), Some("range")));
    let follower = world.receive::<SyncGroupRequest>(two);
    assert_eq!((follower.error_code, follower.assignment.len()), (0, 0));
    assert_eq!(world.call(one, 0, &sync("g", &first, 2, &[])).assignment, answer.assignment, "told again");
    assert_eq!(state_of(&mut world, one, "g"), ("Stable".to_string(), 2));
}

/// C39: who has joined and never syncs is given up after the rebalance timeout; the others begin anew.
#[test]
fn c39_members_that_never_sync_are_given_up() {
    let mut world = World::new(1, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let first = first_member(&mut world, one, "g");
    let second = begin_join(&mut world, two, &join("g", ""));
    world.call(one, 9, &join("g", &first));
    assert_eq!(world.receive::<JoinGroupRequest>(two).generation_id, 2);
    world.send(two, 5, &sync("g", &second, 2, &[]));
    for _ in 0..8 {
        assert_eq!(heartbeat(&mut world, one, "g", &first, 2), 0, "it lives, but does not say who gets what");
        world.advance(8_000);
    }
    assert_eq!(world.receive::<SyncGroupRequest>(two).error_code, 27);
    assert_eq!(heartbeat(&mut world, one, "g", &first, 2), 25);
}

/// C39: assignments that no record can hold are refused with Kafka's error (-1), and the group begins anew; those for members that nobody knows
/// are left out, however many. Nothing of it stays in memory.
#[test]
fn c39_huge_assignments_are_refused() {
    let mut world = World::new(1, &[QUICK]);
    let client = coordinator(&mut world, "g");
    let id = first_member(&mut world, client, "g");
    let follower = world.connect(0);
    let other = begin_join(&mut world, follower, &join("g", ""));
    let rejoin = |world: &mut World, generation: i32| {
        let joined = world.call(client, 9, &join("g", &id));
        assert_eq!((joined.error_code, joined.generation_id), (0, generation));
    };
    rejoin(&mut world, 2);
    assert_eq!(world.receive::<JoinGroupRequest>(follower).error_code, 0);
    world.send(follower, 5, &sync("g", &other, 2, &[]));
    let mut huge = sync("g", &id, 2, &[(&id, "a"), (&other, "b")]);
    huge.assignments[1].assignment = vec![7; 2 << 20].into();
    assert_eq!(world.call(client, 5, &huge).error_code, -1);
    assert_eq!(world.receive::<SyncGroupRequest>(follower).error_code, -1);
    assert_eq!(state_of(&mut world, client, "g"), ("PreparingRebalance".to_string(), 2));
    world.send(follower, 9, &join("g", &other));
    rejoin(&mut world, 3);
    assert_eq!(world.receive::<JoinGroupRequest>(follower).error_code, 0);
    world.send(follower, 5, &sync("g", &other, 3, &[]));
    let strangers: Vec<String> = (0..10_000).map(|number| format!("stranger-{number}")).collect();
    let nothing = "0123456789".repeat(10);
    let mut many: Vec<(&str, &str)> = strangers.iter().map(|id| (id.as_str(), nothing.as_str())).collect();
    many.extend([(id.as_str(), "a"), (other.as_str(), "b")]);
    assert_eq!(world.call(client, 5, &sync("g", &id, 3, &many)).assignment, "a");
    assert_eq!(world.receive::<SyncGroupRequest>(follower).assignment, "b");
    assert_eq!(state_of(&mut world, client, "g"), ("Stable".to_string(), 2));
    assert!(world.brokers[0].group_memory_bytes() < 16 << 10, "{} bytes", world.brokers[0].group_memory_bytes());
}

/// C40: 27 while members join, 0 while they wait for the leader; 22 and 25. JoinGroup, SyncGroup and commits keep a session up too; without
/// any of them it ends.
#[test]
fn c40_heartbeats_and_sessions() {
    let mut world = World::new(2, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let id = first_member(&mut world, one, "g");
    assert_eq!(heartbeat(&mut world, one, "g", &id, 1), 0);
    assert_eq!(heartbeat(&mut world, one, "g", &id, 0), 22);
    assert_eq!(heartbeat(&mut world, one, "g", "nobody", 1), 25);
    assert_eq!(heartbeat(&mut world, one, "absent", &id, 1), 25);
    for _ in 0..3 {
        world.advance(9_000);
        assert_eq!(world.call(one, 5, &sync("g", &id, 1, &[])).error_code, 0);
        world.advance(9_000);
        assert_eq!(crate::group_offsets::commit_as(&mut world, one, "g", (&id, 1), &[]), Vec::<i16>::new());
        world.advance(9_000);
        assert_eq!(heartbeat(&mut world, one, "g", &id, 1), 0);
    }
    world.advance(9_900);
    assert_eq!(state_of(&mut world, one, "g").1, 1);
    world.advance(200);
    assert_eq!(state_of(&mut world, one, "g"), ("Empty".to_string(), 0));
    assert_eq!(heartbeat(&mut world, one, "g", &id, 1), 25);
}

/// C41: a static member that comes back gets a new id, no rebalance, and the old id is fenced. Version 9 tells a leader that it is to
/// leave things as they are; before, it is not told that it leads. It leaves only when told to, by its instance id too.
#[test]
fn c41_static_members_come_back() {
    let mut world = World::new(2, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let as_instance = |request: JoinGroupRequest, name: &str| request.with_group_instance_id(Some(text(name)));
    let first = world.call(one, 9, &as_instance(join("g", ""), "i-1"));
    assert_eq!((first.error_code, first.generation_id), (0, 1), "no handshake");
    assert!(first.member_id.starts_with("i-1-"));
    world.send(two, 9, &as_instance(join("g", ""), "i-2"));
    world.call(one, 9, &as_instance(join("g", &first.member_id), "i-1"));
    let second = world.receive::<JoinGroupRequest>(two);
    let assigned = [(first.member_id.as_str(), "x"), (second.member_id.as_str(), "y")];
    world.call(one, 5, &sync("g", &first.member_id, 2, &assigned));
    for (version, leads) in [(9, true), (8, false)] {
        let leader = world.connect(one.core);
        let back = world.call(leader, version, &as_instance(join("g", ""), "i-1"));
        assert_eq!((back.error_code, back.generation_id, back.skip_assignment), (0, 2, leads));
        assert_eq!((back.leader == back.member_id, back.members.len()), (leads, if leads { 2 } else { 0 }));
        let mine = sync("g", &back.member_id, 2, &[]).with_group_instance_id(Some(text("i-1")));
        assert_eq!(&world.call(leader, 5, &mine).assignment[..], b"x");
    }
    assert_eq!(state_of(&mut world, two, "g"), ("Stable".to_string(), 2), "no rebalance");
    let beat = HeartbeatRequest::default().with_group_id(group_id("g")).with_generation_id(2);
    let beat = beat.with_member_id(first.member_id.clone()).with_group_instance_id(Some(text("i-1")));
    assert_eq!(world.call(one, 4, &beat).error_code, 82);
    assert_eq!(world.call(one, 9, &as_instance(join("g", &first.member_id), "i-1")).error_code, 82);
    let fenced = sync("g", &first.member_id, 2, &[]).with_group_instance_id(Some(text("i-1")));
    assert_eq!(world.call(one, 5, &fenced).error_code, 82);
    assert_eq!(world.call(one, 4, &beat.clone().with_group_instance_id(Some(text("i-9")))).error_code, 25);
    // With other protocols it is another member: a rebalance.
    let other = world.connect(one.core);
    world.send(other, 9, &as_instance(with_protocols(join("g", ""), &["sticky", "range"]), "i-1"));
    assert_eq!(heartbeat(&mut world, two, "g", &second.member_id, 2), 27);
    world.call(two, 9, &as_instance(join("g", &second.member_id), "i-2"));
    assert_eq!(world.receive::<JoinGroupRequest>(other).generation_id, 3);
    let leave = |name: &str| MemberIdentity::default().with_group_instance_id(Some(text(name)));
    let request = LeaveGroupRequest::default().with_group_id(group_id("g"));
    let left = world.call(one, 4, &request.with_members(vec![leave("i-1"), leave("i-9"), leave("i-2")]));
    assert_eq!(left.members.iter().map(|one| one.error_code).collect::<Vec<_>>(), [0, 25, 0]);
    assert_eq!(state_of(&mut world, one, "g"), ("Empty".to_string(), 0));
}

/// LeaveGroup: an id that was never used may leave; before version 3 the code is the answer's; the others share in a new generation.
#[test]
fn members_leave() {
    let mut world = World::new(1, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let promised = world.call(two, 9, &join("g", "")).member_id.to_string();
    assert_eq!(leave(&mut world, two, "g", &promised), 0);
    assert_eq!(leave(&mut world, two, "g", &promised), 25);
    let first = first_member(&mut world, one, "g");
    let second = begin_join(&mut world, two, &join("g", ""));
    world.call(one, 9, &join("g", &first));
    world.receive::<JoinGroupRequest>(two);
    let old = |member: &str| LeaveGroupRequest::default().with_group_id(group_id("g")).with_member_id(text(member));
    assert_eq!(world.call(two, 1, &old("nobody")).error_code, 25);
    assert_eq!(world.call(two, 1, &old(&second)).error_code, 0);
    assert_eq!(heartbeat(&mut world, one, "g", &first, 2), 27);
    assert_eq!(world.call(one, 9, &join("g", &first)).generation_id, 3);
    assert_eq!(leave(&mut world, one, "absent", &first), 25);
}

/// C47: a group that is not there is Dead without an error; one with members is not deleted; lists are filtered by state and by type.
#[test]
fn c47_groups_are_described_listed_and_deleted() {
    let mut world = World::new(2, &[QUICK]);
    let client = coordinator(&mut world, "g");
    let describe = |include: bool| {
        DescribeGroupsRequest::default().with_groups(vec![group_id("g")]).with_include_authorized_operations(include)
    };
    let none = world.call(client, 5, &describe(false)).groups.remove(0);
    assert_eq!((none.error_code, none.group_state.as_str(), none.members.len()), (0, "Dead", 0));
    let id = first_member(&mut world, client, "g");
    let one = world.call(client, 5, &describe(true)).groups.remove(0);
    let of_group = (one.group_state.as_str(), one.protocol_type.as_str(), one.protocol_data.as_str());
    assert_eq!((of_group, one.authorized_operations), (("Stable", CONSUMER, "range"), 3400));
    let member = &one.members[0];
    assert_eq!(
        (member.member_id.as_str(), member.client_id.as_str(), member.client_host.as_str()),
        (&*id, "test", "/127.0.0.1")
    );
    assert_eq!(
        (&member.member_metadata[..], &member.member_assignment[..]),
        (&b"metadata of "[..], &b"everything"[..])
    );
    let delete = DeleteGroupsRequest::default().with_groups_names(["g", "absent", "g"].map(group_id).to_vec());
    let codes = |world: &mut World, absent: i16| {
        let results = world.call(client, 2, &delete).results;
        let mut codes: Vec<(String, i16)> =
            results.iter().map(|one| (one.group_id.to_string(), one.error_code)).collect();
        codes.sort_unstable();
        assert_eq!((codes.len(), &codes[0]), (2, &("absent".to_string(), absent)), "each is answered once");
        codes[1].1
    };
    // "absent" may belong to another core.
    let absent = if per_machine() || is_mine(&mut world, client, "absent") { 69 } else { 16 };
    assert_eq!(codes(&mut world, absent), 68);
    let listed = |world: &mut World, states: &[&str], kinds: &[&str]| {
        let texts = |all: &[&str]| all.iter().map(|one| text(one)).collect();
        let request = ListGroupsRequest::default().with_states_filter(texts(states)).with_types_filter(texts(kinds));
        world.call(client, 5, &request).groups
    };
    assert_eq!(listed(&mut world, &["stable"], &["Classic"]).len(), 1);
    assert_eq!((listed(&mut world, &["Empty"], &[]).len(), listed(&mut world, &[], &["consumer"]).len()), (0, 0));
    let one = listed(&mut world, &[], &[]).remove(0);
    let told = (one.group_id.as_str(), one.protocol_type.as_str(), one.group_state.as_str(), one.group_type.as_str());
    assert_eq!(told, ("g", CONSUMER, "Stable", "classic"));
    assert_eq!(leave(&mut world, client, "g", &id), 0);
    assert_eq!(listed(&mut world, &["Empty"], &[]).len(), 1);
    assert_eq!(codes(&mut world, absent), 0);
    assert_eq!(codes(&mut world, absent), 69);
    assert!(listed(&mut world, &[], &[]).is_empty());
}

/// True if the broker that a client is connected to coordinates this group.
fn is_mine(world: &mut World, client: Client, group: &str) -> bool {
    let asked = FindCoordinatorRequest::default().with_key(text(group));
    world.call(client, 3, &asked).node_id.0 == client.core as i32
}

/// Nobody but the coordinators writes to their topic (17), and it does not grow (37): each group would be looked for elsewhere.
#[test]
fn the_topic_of_the_coordinators_is_theirs() {
    let mut world = World::new(2, &[QUICK]);
    let client = coordinator(&mut world, "g");
    let leader = world.leader(client, "__consumer_offsets", 0);
    let client = world.connect(leader);
    let batch = Batch { keyed: true, ..Batch::of(1) };
    let request = produce_request(-1, &[("__consumer_offsets", 0, batch.encode())]);
    assert_eq!(produced(&world.call(client, 9, &request))[0].error_code, 17);
    let grown = world.call(client, 3, &crate::describe::grow_request("__consumer_offsets", 51));
    assert_eq!(grown.results[0].error_code, 37);
}

/// The topic of the coordinators may be deleted, as in Kafka: everything that groups knew goes with it. Who waits is told to look for the
/// coordinator again, and finds the one of a new topic, of which nobody is a member.
#[test]
fn groups_begin_anew_when_their_topic_is_deleted() {
    let mut world = World::new(2, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    let three = coordinator(&mut world, "g");
    world.create_topic(one, "t", 1, &[]);
    let id = first_member(&mut world, one, "g");
    let commit = crate::group_offsets::commit_request("g", (&id, 1), &[("t", 0, 5)]);
    assert_eq!(world.call(one, 8, &commit).topics[0].partitions[0].error_code, 0);
    begin_join(&mut world, two, &join("g", ""));
    world.hold_flushes = true;
    world.send(one, 8, &commit);
    let admin = world.connect(0);
    let topics = vec![topic_name("__consumer_offsets")];
    let request = DeleteTopicsRequest::default().with_timeout_ms(1_000).with_topic_names(topics);
    assert_eq!(world.call(admin, 5, &request).responses[0].error_code, 0);
    assert_eq!(world.receive::<JoinGroupRequest>(two).error_code, 16);
    assert_eq!(world.receive::<OffsetCommitRequest>(one).topics[0].partitions[0].error_code, 16);
    world.hold_flushes = false;
    assert_eq!(heartbeat(&mut world, three, "g", &id, 1), 16, "until somebody looks for a coordinator");
    let new = coordinator(&mut world, "g");
    assert_eq!(heartbeat(&mut world, new, "g", &id, 1), 25);
    let asked = OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(None);
    assert!(world.call(new, 7, &asked).topics.is_empty());
    let id = first_member(&mut world, new, "g");
    let commit = crate::group_offsets::commit_request("g", (&id, 1), &[("t", 0, 9)]);
    assert_eq!(world.call(new, 8, &commit).topics[0].partitions[0].error_code, 0);
    let mut world = World::on(world.disk, 2, &[QUICK], 9);
    let again = coordinator(&mut world, "g");
    assert_eq!(heartbeat(&mut world, again, "g", &id, 1), 0);
    let told = world.call(again, 7, &asked);
    assert_eq!(told.topics[0].partitions[0].committed_offset, 9);
}

/// A stop waits for commits that are on their way, and for nobody who waits for other members.
#[test]
fn a_stop_waits_for_commits_and_not_for_joins() {
    let mut world = World::new(2, &[QUICK]);
    let one = coordinator(&mut world, "g");
    let two = coordinator(&mut world, "g");
    world.create_topic(one, "t", 1, &[]);
    let id = first_member(&mut world, one, "g");
    begin_join(&mut world, two, &join("g", ""));
    world.hold_flushes = true;
    world.send(one, 8, &crate::group_offsets::commit_request("g", (&id, 1), &[("t", 0, 5)]));
    world.stop_soon();
    world.run();
    assert!(!world.stopped.iter().all(|stopped| *stopped), "the commit is not on disk yet");
    world.hold_flushes = false;
    world.advance(200);
    assert!(world.stopped.iter().all(|stopped| *stopped));
    let committed = world.receive::<OffsetCommitRequest>(one);
    assert_eq!(committed.topics[0].partitions[0].error_code, 0);
    assert!(world.try_receive::<JoinGroupRequest>(two).is_none());
}

/// Groups and offsets are what the log says, also after a restart, with another number of cores too: members go on in their generation.
#[test]
fn groups_survive_restarts_and_changes_of_cores() {
    let mut world = World::new(2, &[QUICK]);
    let mut members = Vec::new();
    for group in ["a", "b", "c", "d"] {
        let client = coordinator(&mut world, group);
        members.push((group, first_member(&mut world, client, group)));
    }
    for cores in [2, 3, 1] {
        world = World::on(world.disk, cores, &[QUICK], 77 + u64::from(cores));
        for (group, id) in &members {
            let client = coordinator(&mut world, group);
            assert_eq!(heartbeat(&mut world, client, group, id, 1), 0, "{group} on {cores} cores");
            assert_eq!(&world.call(client, 5, &sync(group, id, 1, &[])).assignment[..], b"everything");
        }
        world.advance(9_000);
    }
    world.advance(2_000);
    for (group, id) in &members {
        let client = coordinator(&mut world, group);
        assert_eq!(heartbeat(&mut world, client, group, id, 1), 25, "its session is over");
    }
}
