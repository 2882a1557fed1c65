#![no_main]

#[path = "../checks/archive.rs"]
mod check;
#[path = "../checks/reference.rs"]
mod reference;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
