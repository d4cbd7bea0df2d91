//! Every target of [`adit::fuzzing`] in one program; `ADIT_FUZZ` names the one that is to run.
//!
//! Besides the laws of a target it checks that what it takes of memory grows no faster than what it is given.

#![no_main]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use adit::fuzzing::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

/// What a target may take at once besides, in bytes: runtimes, sockets, the tables of the configuration.
const MEMORY_MIN: usize = 8 << 20;
/// What it may take for each byte that it is given.
const MEMORY_PER_BYTE: usize = 2 << 10;

/// The system's allocator, counting.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(taken, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

static TARGET: OnceLock<&Target> = OnceLock::new();

fn target() -> &'static Target {
    let name = std::env::var("ADIT_FUZZ").unwrap_or_default();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("ADIT_FUZZ is {name:?}, and must be one of {}", names.join(" "));
        std::process::exit(2)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(target);
    let before = TAKEN.load(Relaxed);
    MOST.store(before, Relaxed);
    (target.run)(bytes);
    let most = MOST.load(Relaxed).saturating_sub(before);
    assert!(most <= MEMORY_MIN + MEMORY_PER_BYTE * bytes.len(), "{most} bytes of memory were taken for {} bytes", bytes.len());
});
