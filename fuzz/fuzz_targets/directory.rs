//! A store's directory, changed as the fuzzer's bytes say, and opened.
#![no_main]

#[path = "../../mvcc/tests/bytes/mod.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bytes::check(data);
});
