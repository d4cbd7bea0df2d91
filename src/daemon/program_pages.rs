//! The pages of the daemon's program and of its libraries.
#![expect(unsafe_code, reason = "what the linker has loaded, and advice to the kernel, have no safe form")]

use std::time::Duration;

use tokio::{task::spawn_blocking, time::sleep};

use crate::recorder::Recorder;

/// How long after something happened they are given up: what came of it is mostly over by then.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Has few of them mapped. A page fault maps its neighbours with it, so that in the end nearly all of the program would be resident:
/// the start, each pass over an account and each command need other parts of it. While nothing happens it does nothing.
pub(super) async fn stay_few(recorder: Recorder) {
    let mut happened = recorder.watch();
    while happened.changed().await.is_ok() {
        sleep(SETTLED_AFTER).await;
        happened.mark_unchanged();
        // It fails when the runtime goes down.
        let _ = spawn_blocking(give_back).await;
    }
}

/// Gives up what is mapped of the program and of its libraries. What is needed again comes back from the page cache, unread from any
/// disk; what only the start or the last change needed does not, and it is the larger part.
fn give_back() {
    // SAFETY: it calls the function for each object while it holds the list of them.
    unsafe { libc::dl_iterate_phdr(Some(give_back_object), std::ptr::null_mut()) };
}

/// Never the segments that can be written to: those hold more than their files do.
unsafe extern "C" fn give_back_object(object: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it takes a number; the kernel has always told its pages' size.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs();
    // SAFETY: the linker passes an object that it has loaded, whose headers it keeps.
    let (base, headers) =
        unsafe { ((*object).dlpi_addr, std::slice::from_raw_parts((*object).dlpi_phdr, (*object).dlpi_phnum.into())) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0) {
        let address = base + header.p_vaddr;
        let within_page = address % page;
        // SAFETY: a segment is mapped as a whole from the page in which it begins, from a file, and nobody has written to it.
        unsafe { libc::madvise((address - within_page) as *mut _, (header.p_memsz + within_page) as usize, libc::MADV_DONTNEED) };
    }
    0
}
