//! What an idle consumer costs.

use super::*;

#[test]
fn an_idle_consumer_is_small() {
    assert!(size_of::<Consumer>() <= 1_400, "{}", size_of::<Consumer>());
    let mut world = World::with(ConsumerConfig { max_ack_pending: -1, ..pull() }, &vec!["m"; 2_000]);
    world.fetch("2000");
    for n in 1..=2_000 {
        world.ack(&format!("1.{n}.{n}"), "", "");
    }
    let consumer = world.consumer.as_mut().unwrap();
    consumer.progress(&mut Vec::new());
    consumer.shrink();
    assert_eq!(consumer.pending.capacity(), 0);
}
