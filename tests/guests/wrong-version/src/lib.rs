//! Exports an interface of a contract that does not exist yet.

wit_bindgen::generate!({
    path: "wit",
    world: "driver",
});

struct Future;

impl exports::springform::driver::identity::Guest for Future {
    fn describe() -> String {
        String::new()
    }
}

export!(Future);
