//! The compiler's process, as the program starts it: what it makes runs, what is too much for it ends with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use springform_sandbox::{Compiler, LoadError, Sandbox, SandboxConfig};

fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("SPRINGFORM_GUESTS").map_or_else(
        || {
            Path::new(env!("CARGO_TARGET_TMPDIR"))
                .parent()
                .unwrap()
                .join("guests")
        },
        PathBuf::from,
    );
    folder.join(format!("{name}.wasm"))
}

fn sandbox(config: SandboxConfig) -> Sandbox {
    let compiler = Compiler::Process(env!("CARGO_BIN_EXE_springform").into());
    Sandbox::new(SandboxConfig { compiler, ..config }).unwrap()
}

fn leb(mut left: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        bytes.push(low | if left > 0 { 0x80 } else { 0 });
        if left == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// The no-op driver with a module of `functions` functions of a hundred kilobytes behind it: within every cap on what is shown to
/// the compiler.
fn laborious(folder: &Path, functions: usize) -> PathBuf {
    // local.get 0, local.get 0, i32.add, local.set 0
    let mut body = vec![0];
    body.extend([0x20, 0, 0x20, 0, 0x6a, 0x21, 0].repeat(15_000));
    body.push(0x0b);
    let body = [leb(body.len()), body].concat();
    let count = leb(functions);
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 0]),
        section(3, &[count.clone(), vec![0; functions]].concat()),
        section(10, &[count, body.repeat(functions)].concat()),
    ];
    let path = folder.join(format!("laborious-{functions}.wasm"));
    let bytes = [
        std::fs::read(guest("noop")).unwrap(),
        section(1, &module.concat()),
    ]
    .concat();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Compilers that this test's thread of Tokio started, by the memory they may have, which each test here chooses for itself.
fn compilers(memory: u64) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|process| {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0).skip(1);
        words.next() == Some(b"compile-driver")
            && words.next() == Some(memory.to_string().as_bytes())
    })
    .count()
}

async fn until(what: &str, met: impl Fn() -> bool) {
    for _ in 0..6000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

#[tokio::test]
async fn a_driver_that_another_process_compiled_serves_with_a_cache_and_without() {
    let folder = tempfile::tempdir().unwrap();
    for cache_dir in [None, Some(folder.path().join("cache"))] {
        let cached = cache_dir.is_some();
        let sandbox = sandbox(SandboxConfig {
            cache_dir,
            ..SandboxConfig::default()
        });
        let program = sandbox.load(&guest("noop")).await.unwrap();
        assert!(!program.compiled_from_cache());
        assert_eq!(program.description().name, "noop");
        let again = sandbox.load(&guest("noop")).await.unwrap();
        assert_eq!(again.compiled_from_cache(), cached);
    }
}

#[tokio::test]
async fn a_component_that_is_not_valid_is_refused_with_the_validators_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("driver.wasm");
    // A function that leaves nothing on the stack and promises a number.
    let module =
        [&b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b"[..]]
            .concat();
    let bytes = [std::fs::read(guest("noop")).unwrap(), section(1, &module)].concat();
    std::fs::write(&path, bytes).unwrap();
    let error = sandbox(SandboxConfig::default())
        .load(&path)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LoadError::Malformed { reason, .. } if reason.contains("type mismatch")),
        "{error}"
    );
}

#[tokio::test]
async fn a_compiler_that_runs_out_of_memory_ends_alone_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // What the program itself takes, and less than the component beside it.
    let sandbox = sandbox(SandboxConfig {
        compile_memory_bytes: 150 << 20,
        ..SandboxConfig::default()
    });
    let error = sandbox.load(&laborious(folder.path(), 590)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, LoadError::CompileMemory(150)), "{error}");
}

#[tokio::test]
async fn a_compiler_that_takes_too_long_is_killed() {
    const MEMORY: u64 = (2 << 30) - 1;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox(SandboxConfig {
        compile_timeout: Duration::from_millis(1500),
        compile_memory_bytes: MEMORY,
        ..SandboxConfig::default()
    });
    let error = sandbox
        .load(&laborious(folder.path(), 240))
        .await
        .unwrap_err();
    assert!(matches!(error, LoadError::CompileTimeout(_)), "{error}");
    until("the compiler is gone", || compilers(MEMORY) == 0).await;
}

#[tokio::test]
async fn a_compiler_that_works_too_long_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox(SandboxConfig {
        compile_cpu: Duration::from_secs(1),
        ..SandboxConfig::default()
    });
    let error = sandbox.load(&laborious(folder.path(), 240)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, LoadError::CompileCpu(1)), "{error}");
}

#[tokio::test]
async fn two_enormous_components_keep_no_ordinary_driver_waiting_and_end_when_nobody_wants_them() {
    const MEMORY: u64 = (2 << 30) - 2;
    let folder = tempfile::tempdir().unwrap();
    let path = laborious(folder.path(), 250);
    assert!(std::fs::metadata(&path).unwrap().len() > 26_000_000);
    let sandbox = sandbox(SandboxConfig {
        compile_concurrency: 1,
        compile_memory_bytes: MEMORY,
        ..SandboxConfig::default()
    });
    let enormous = [(); 2].map(|()| {
        let (sandbox, path) = (sandbox.clone(), path.clone());
        tokio::spawn(async move { sandbox.load(&path).await.map(drop) })
    });
    until("one is being compiled", || compilers(MEMORY) == 1).await;
    sandbox
        .load(&guest("noop"))
        .await
        .expect("an ordinary one has a turn of its own");
    assert_eq!(compilers(MEMORY), 1, "one enormous component at a time");
    for one in &enormous {
        one.abort();
    }
    until("nothing compiles for nobody", || compilers(MEMORY) == 0).await;
}

/// A host with these drivers, on a free port of this machine.
struct Host {
    child: tokio::process::Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Host {
    fn start(driver: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let file = folder.path().join("springform.toml");
        let text = format!(
            "[service]\nlisten = \"{address}\"\n[driver.noop]\npath = \"{}\"\n",
            driver.display()
        );
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_springform"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        Self { child, url, folder }
    }

    async fn status(&self, path: &str) -> Option<u16> {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.ok()?;
        Some(answer.status().as_u16())
    }

    async fn answers(&self, path: &str, status: u16) {
        for _ in 0..12_000 {
            if self.status(path).await == Some(status) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join("log"));
        panic!("{path} never answered {status}\n{}", log.unwrap());
    }

    /// Uploads a component; gives status and text.
    async fn upload(&self, method: reqwest::Method, path: &str, body: Vec<u8>) -> (u16, String) {
        let request =
            reqwest::Client::new().request(method, format!("{}/admin/v1{path}", self.url));
        let request = request
            .header("content-type", "application/wasm")
            .body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn kept(&self) -> usize {
        let folder = self.folder.path().join("springform-state/drivers");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn a_host_that_compiles_its_drivers_is_alive_not_ready_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::start(&laborious(folder.path(), 251));
    host.answers("/healthz", 200).await;
    assert_eq!(host.status("/readyz").await, Some(503));
    assert_eq!(host.status("/v3/").await, Some(503));
    let pid = host.child.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(&pid)
            .status()
            .unwrap()
            .success()
    );
    let ended = tokio::time::timeout(Duration::from_secs(60), host.child.wait()).await;
    assert!(ended.expect("it stops").unwrap().success());
}

#[tokio::test]
async fn uploads_that_are_bombs_leave_nothing_behind_and_keep_no_ordinary_one_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&guest("noop"));
    host.answers("/readyz", 200).await;
    let noop = std::fs::read(guest("noop")).unwrap();

    let nested = section(4, b"\0asm\x0d\0\x01\0").repeat(20_000);
    let (status, said) = host
        .upload(
            reqwest::Method::PUT,
            "/drivers/noop",
            [noop.clone(), nested].concat(),
        )
        .await;
    assert_eq!(status, 400, "{said}");
    assert!(
        said.contains("more than 512 core modules and components"),
        "{said}"
    );
    assert_eq!(host.kept(), 0, "a refused upload is not kept");

    let enormous = std::fs::read(laborious(folder.path(), 252)).unwrap();
    let bombs = async {
        tokio::join!(
            host.upload(reqwest::Method::PUT, "/drivers/noop", enormous.clone()),
            host.upload(
                reqwest::Method::POST,
                "/drivers/noop/inspect",
                enormous.clone()
            ),
        )
    };
    let innocent = async {
        for _ in 0..12_000 {
            if host.kept() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(host.kept(), 2, "both are being looked at");
        host.upload(reqwest::Method::POST, "/drivers/noop/inspect", noop)
            .await
    };
    tokio::select! {
        bombs = bombs => panic!("the bombs were first: {bombs:?}"),
        (status, said) = innocent => assert_eq!(status, 200, "{said}"),
    }
    // The clients of the bombs are gone: so are their uploads.
    for _ in 0..12_000 {
        if host.kept() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(host.kept(), 0);
    assert_eq!(host.status("/readyz").await, Some(200));
}
