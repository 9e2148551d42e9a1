//! Components with something put behind them.

use crate::support::guest;

/// Section ids of the component binary format.
pub const CORE_MODULE: u8 = 1;
pub const CORE_INSTANCE: u8 = 2;
pub const COMPONENT: u8 = 4;
const HEADER: usize = 8;

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

pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

pub fn noop() -> Vec<u8> {
    std::fs::read(guest("noop")).unwrap()
}

/// How many core modules a component has itself.
fn modules(component: &[u8]) -> usize {
    let (mut at, mut count) = (HEADER, 0);
    while at < component.len() {
        count += usize::from(component[at] == CORE_MODULE);
        at += 1;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = component[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += length;
    }
    count
}

/// The no-op driver with a module that is there and never used.
pub fn with_module(text: &str) -> Vec<u8> {
    let module = wat::parse_str(text).unwrap();
    [noop(), section(CORE_MODULE, &module)].concat()
}

/// The no-op driver with a module that is instantiated `times` times before each of its calls.
pub fn with_instances(text: &str, times: usize) -> Vec<u8> {
    let noop = noop();
    let index = leb(modules(&noop));
    let module = section(CORE_MODULE, &wat::parse_str(text).unwrap());
    let one = [&[0][..], &index, &[0]].concat();
    let instances = section(CORE_INSTANCE, &[leb(times), one.repeat(times)].concat());
    [noop, module, instances].concat()
}

/// A component that imports an interface.
pub fn importing(name: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (import \"{name}\" (instance)))")).unwrap()
}
