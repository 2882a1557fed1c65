use crate::support::World;

#[test]
fn a_message_reaches_its_subscriber() {
    let world = World::new("");
    let client = world.quiet();
    client.send("SUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n");
    assert!(client.received().starts_with("MSG a 1 2\r\nhi\r\nPONG\r\nINFO {"));
}
