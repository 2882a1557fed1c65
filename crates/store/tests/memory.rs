//! The memory store does what the naive one does.

mod model;

use martlet_store::MemoryStore;

fn kit() -> model::Kit<'static> {
    model::Kit {
        make: &|first_seq| Box::new(MemoryStore::new(first_seq)),
        size: |message| 16 + (message.subject.len() + message.headers.len() + message.payload.len()) as u64,
        reopen: None,
        cases: 400,
        stride: 1,
    }
}

#[test]
// spec: JS-021 JS-022 JS-059 JS-061
fn a_memory_store_is_a_list_of_messages() {
    model::check(&kit());
}

#[test]
fn a_memory_store_finds_what_is_rare() {
    model::check_everywhere(&kit());
}
