//! Compiled components on disk. Loading compiled code is as dangerous as loading a shared library, so an entry is used
//! only when its MAC, under a key that never leaves this host, is right; anything else is compiled again.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

type HmacSha256 = Hmac<Sha256>;

const MAC_BYTES: usize = 32;
/// Bytes of an entry that are looked at together.
const PIECE: usize = 64 << 10;
/// A file that is half written after this time is nobody's.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(3600);
const KEY_FILE: &str = "cache.key";

/// A private directory of compiled components.
#[derive(Clone)]
pub struct Cache {
    dir: PathBuf,
    key: [u8; 32],
    most: usize,
}

impl Cache {
    /// Opens or makes the directory (0700) and its key (0600). Holds at most `most` compiled components, the one just put
    /// among them.
    ///
    /// # Errors
    /// When it cannot be made private or the key cannot be read.
    pub fn open(dir: &Path, most: usize) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        Ok(Self {
            key: read_or_make_key(dir)?,
            dir: dir.to_owned(),
            most: most.max(1),
        })
    }

    /// The compiled form of the component with this digest, if an authentic one is there.
    #[must_use]
    pub fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let name = entry_name(engine, digest);
        let path = self.dir.join(&name);
        let mut file = fs::File::open(&path).ok()?;
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        let Some(length) = length.checked_sub(MAC_BYTES) else {
            tracing::warn!(path = %path.display(), "compiled driver ignored: the file is too short; compiling again");
            return None;
        };
        if !self.is_ours(&name, &mut file, length)? {
            tracing::warn!(path = %path.display(), "compiled driver ignored: it was not written by this host; compiling again");
            return None;
        }
        match load(engine, &file) {
            Ok(component) => {
                // Says when it was last used; where it cannot be said, it goes earlier than it need.
                drop(file.set_modified(std::time::SystemTime::now()));
                Some(component)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled driver ignored; compiling again");
                None
            }
        }
    }

    /// Keeps a compiled component. A failure costs the next start a compilation, so it is logged and no more.
    pub fn put(&self, engine: &Engine, digest: &str, code: &[u8]) {
        if let Err(error) = self.try_put(engine, digest, code) {
            tracing::warn!(dir = %self.dir.display(), %error, "the compiled driver could not be kept");
        }
    }

    fn try_put(&self, engine: &Engine, digest: &str, code: &[u8]) -> anyhow::Result<()> {
        let name = entry_name(engine, digest);
        let mac = self
            .mac(&name, code)
            .ok_or_else(|| anyhow::anyhow!("no MAC"))?
            .finalize()
            .into_bytes();
        // Two processes may write the same entry: each writes its own file and the rename decides.
        let mut file = tempfile::Builder::new()
            .prefix(&format!("{name}."))
            .tempfile_in(&self.dir)?;
        // The MAC comes last: the code must begin where a page does, so that it can be mapped.
        file.write_all(code)?;
        file.write_all(&mac)?;
        file.as_file().sync_all()?;
        file.persist(self.dir.join(name))?;
        self.prune()?;
        Ok(())
    }

    /// Takes away what has been unused for longest, and what a process that died left half written. A mapped file that is
    /// removed stays readable for whoever has mapped it.
    fn prune(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let (Ok(meta), true) = (entry.metadata(), name.contains(".cwasm")) else {
                continue;
            };
            let used = meta.modified()?;
            let stale = used.elapsed().is_ok_and(|age| age > ABANDONED);
            match name.ends_with(".cwasm") {
                true => kept.push((used, entry.path())),
                false if stale => remove(&entry.path()),
                false => {}
            }
        }
        kept.sort();
        let excess = kept.len().saturating_sub(self.most);
        for (_, path) in kept.into_iter().take(excess) {
            remove(&path);
        }
        Ok(())
    }

    /// Whether the file ends with the MAC of its first `length` bytes. Read in pieces, so that no driver is in memory for it.
    fn is_ours(&self, name: &str, file: &mut fs::File, length: usize) -> Option<bool> {
        let mut mac = self.mac(name, &[])?;
        let mut piece = vec![0; PIECE.min(length)];
        let mut left = length;
        while left > 0 {
            let piece = piece.get_mut(..PIECE.min(left))?;
            file.read_exact(piece).ok()?;
            mac.update(piece);
            left -= piece.len();
        }
        let mut claimed = [0; MAC_BYTES];
        file.read_exact(&mut claimed).ok()?;
        let ended = file.read(&mut [0]).ok()? == 0;
        Some(ended && mac.verify_slice(&claimed).is_ok())
    }

    /// The name is under the MAC too: a valid entry renamed to another digest must not pass.
    fn mac(&self, name: &str, code: &[u8]) -> Option<HmacSha256> {
        let mut mac = HmacSha256::new_from_slice(&self.key).ok()?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        Some(mac)
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "a compiled driver that is not needed could not be removed");
    }
}

/// Covers the component, the engine's settings and wasmtime's version, and this host's build.
fn entry_name(engine: &Engine, digest: &str) -> String {
    let mut settings = std::collections::hash_map::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut key = Sha256::new();
    key.update(digest.as_bytes());
    key.update(settings.finish().to_le_bytes());
    key.update(env!("CARGO_PKG_VERSION").as_bytes());
    format!("{}.cwasm", hex::encode(key.finalize()))
}

/// The key of the entries. One that is cut short, as after a loss of power, or that others could read is replaced: the price is
/// that each driver is compiled once more.
fn read_or_make_key(dir: &Path) -> io::Result<[u8; 32]> {
    let path = dir.join(KEY_FILE);
    let mut replace = false;
    match fs::File::open(&path) {
        Ok(mut file) => match usable_key(&mut file)? {
            Ok(key) => return Ok(key),
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "the key of the compiled drivers is replaced; they are compiled again");
                replace = true;
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let made: [u8; 32] = rand::random();
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&made)?;
    file.as_file().sync_all()?;
    let kept = match replace {
        true => file.persist(&path).map_err(|error| error.error),
        // Another process may have made one meanwhile: the first one counts.
        false => file.persist_noclobber(&path).map_err(|error| error.error),
    };
    match kept {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return usable_key(&mut fs::File::open(&path)?)?.map_err(io::Error::other);
        }
        Err(error) => return Err(error),
    }
    fs::File::open(dir)?.sync_all()?;
    Ok(made)
}

/// The key in a file, or why it cannot be used.
fn usable_key(file: &mut fs::File) -> io::Result<Result<[u8; 32], &'static str>> {
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(Err("other users could read it"));
    }
    let mut bytes = Vec::with_capacity(33);
    file.take(33).read_to_end(&mut bytes)?;
    Ok(bytes
        .try_into()
        .map_err(|_| "it does not have the length of a key"))
}

/// Takes over code that this host's compiler has just given.
///
/// # Errors
/// It is of another version or other settings: the host's program was replaced by something else.
#[allow(unsafe_code)]
pub fn adopt(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `Engine::precompile_component` gave in the compiler's process, which was started from this very
    // program and has no way to be reached by anybody else; wasmtime itself refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}

/// Maps the code in place of copying it: a driver at rest then holds the pages it has used, shared with every process that
/// maps the same file. Entries are only ever replaced by a rename, so what is mapped stays as it was.
#[allow(unsafe_code)]
fn load(engine: &Engine, entry: &fs::File) -> wasmtime::Result<Component> {
    // By descriptor, not by name: another file may have the name by now.
    let path = format!("/proc/self/fd/{}", entry.as_raw_fd());
    // SAFETY: the only caller has just verified, on this very file, the MAC that this host put on what
    // `Component::serialize` gave it; nobody but this host's own user can write to it (0600 in 0700); wasmtime itself refuses
    // code of another version or of other settings.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_key_that_was_cut_short_or_that_others_could_read_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("cache");
        let first = Cache::open(&dir, 9).unwrap().key;
        let path = dir.join(KEY_FILE);
        assert_eq!((mode(&dir), mode(&path)), (0o700, 0o600));
        assert_eq!(Cache::open(&dir, 9).unwrap().key, first, "a good one stays");

        for cut in [&b""[..], &first[..31], &[first.as_slice(), b"x"].concat()] {
            fs::write(&path, cut).unwrap();
            let made = Cache::open(&dir, 9).unwrap().key;
            assert_ne!(made, first);
            assert_eq!(Cache::open(&dir, 9).unwrap().key, made, "the new one stays");
            assert_eq!(mode(&path), 0o600);
        }

        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let seen = fs::read(&path).unwrap();
        assert_ne!(Cache::open(&dir, 9).unwrap().key.as_slice(), seen);
        let left = fs::read_dir(&dir).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside the key");
    }
}
