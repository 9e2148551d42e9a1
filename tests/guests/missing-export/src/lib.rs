//! Exports `identity` and nothing else of what a driver must.

wit_bindgen::generate!({
    path: "../../../wit/driver/v0.1",
    inline: "
        package fixture:missing;
        world partial { export springform:driver/identity@0.1.0; }
    ",
    world: "fixture:missing/partial",
    generate_all,
});

struct Partial;

impl exports::springform::driver::identity::Guest for Partial {
    fn describe() -> exports::springform::driver::identity::Description {
        unreachable!("refused before it is asked")
    }
}

export!(Partial);
