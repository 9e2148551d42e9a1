//! What the compiler's process gives up before it reads the first byte of a component.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// What a compilation may use, and what it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of CPU, over all threads.
    pub cpu: u64,
    /// Bytes of Wasm stack of the engine that will run the code.
    pub stack: usize,
}

impl Bounds {
    /// As arguments of the compiler's process.
    #[must_use]
    pub fn arguments(self) -> [String; 3] {
        [
            self.memory.to_string(),
            self.cpu.to_string(),
            self.stack.to_string(),
        ]
    }

    /// From the arguments of the process.
    ///
    /// # Errors
    /// They are not what [`Bounds::arguments`] makes.
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let [memory, cpu, stack] = arguments else {
            bail!("the host starts this mode itself, to compile drivers; it is of no use by hand");
        };
        Ok(Self {
            memory: memory.parse()?,
            cpu: cpu.parse()?,
            stack: stack.parse()?,
        })
    }
}

/// Takes on limits and gives up system calls, for good.
///
/// # Errors
/// The kernel does not do one of them: then nothing is compiled.
pub fn enter(bounds: Bounds) -> anyhow::Result<()> {
    let limit = |resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).with_context(|| format!("cannot set a limit ({resource:?})"))
    };
    limit(Resource::As, bounds.memory)?;
    limit(Resource::Cpu, bounds.cpu)?;
    limit(Resource::Core, 0)?;
    // Calls go first.
    nice(10).context("cannot lower the priority")?;
    let filter = filter().context("cannot make the filter of system calls")?;
    seccompiler::apply_filter(&filter).context("cannot give up system calls")
}

/// Memory, threads, and the three streams it was given. No file can be opened, no socket made, no program started.
const NEEDED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Everything else is answered as if the kernel did not know it: so that the C library, whose `clone3` cannot be looked into,
/// makes its threads with `clone`, of which only the making of threads passes.
fn filter() -> anyhow::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NEEDED.iter().map(|call| (*call, Vec::new())).collect();
    let thread = u64::try_from(libc::CLONE_THREAD | libc::CLONE_VM)?;
    let thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(thread),
        thread,
    )?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]);
    let unknown = SeccompAction::Errno(u32::try_from(libc::ENOSYS)?);
    let filter = SeccompFilter::new(
        rules,
        unknown,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::net::{TcpStream, UdpSocket};
    use std::process::Command;

    use super::*;

    /// Runs alone in a process, see below: what it gives up does not come back.
    #[test]
    #[ignore = "gives up the process it runs in"]
    fn tries_what_a_compiler_may_not() {
        let bounds = Bounds {
            memory: 2 << 30,
            cpu: 10,
            stack: 512 << 10,
        };
        let host = rustix::process::getppid().unwrap();
        enter(bounds).unwrap();
        let tried = [
            ("open a file", std::fs::File::open("/etc/passwd").is_err()),
            (
                "open its own memory",
                std::fs::File::open("/proc/self/mem").is_err(),
            ),
            (
                "make a file",
                std::fs::File::create("/tmp/springform-probe").is_err(),
            ),
            ("list a directory", std::fs::read_dir("/").is_err()),
            (
                "make a TCP socket",
                TcpStream::connect(("127.0.0.1", 9))
                    .is_err_and(|e| e.raw_os_error() == Some(libc::ENOSYS)),
            ),
            ("make a UDP socket", UdpSocket::bind("127.0.0.1:0").is_err()),
            (
                "start a program",
                Command::new("/bin/true").status().is_err(),
            ),
            (
                "signal the host",
                rustix::process::test_kill_process(host).is_err(),
            ),
        ];
        let thread = std::thread::spawn(|| 7).join();
        assert_eq!(thread.unwrap(), 7, "threads are what it may have");
        for (what, failed) in tried {
            assert!(failed, "it could {what}");
        }
    }

    #[test]
    fn a_compiler_can_open_no_file_make_no_socket_and_start_no_program() {
        let done = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "compiler::confine::tests::tries_what_a_compiler_may_not",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }
}
