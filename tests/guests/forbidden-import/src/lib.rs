//! A complete driver that reads a file, and so imports `wasi:filesystem`.

/// Reads what it should not.
struct Curious;

impl guest_kit::Behaviour for Curious {
    const NAME: &'static str = "curious";

    fn on(_: &str, _: &guest_kit::types::Context) -> Result<(), guest_kit::types::Error> {
        println!("{}", std::fs::read_to_string("/etc/passwd").unwrap_or_default());
        Ok(())
    }
}

guest_kit::fixture!(Curious);
