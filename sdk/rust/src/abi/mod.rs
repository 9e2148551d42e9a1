//! The canonical ABI of the contract, one function for each type.
//!
//! `wit-bindgen` writes the reading and writing of its records out again in each of the forty exported functions, which
//! is half of a driver's size. Here a type is read in one place and written in one place. The types, the traits and the component's
//! description stay `wit-bindgen`'s; `contract` names the fields of each type in the contract's order, and a test
//! compares sizes, alignments and orders with the WIT.
//!
//! This is the one module of the SDK that handles addresses: the canonical ABI is memory.
#![allow(unsafe_code)]

mod contract;
#[doc(hidden)]
pub mod export;
mod plain;
mod shapes;
#[cfg(test)]
mod tests;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use crate::types::Context;

/// A type as the canonical ABI lays it out in memory.
pub trait Abi: Sized {
    /// Bytes.
    const SIZE: usize;
    /// Bytes, a power of two.
    const ALIGN: usize;
    /// Names of fields or cases, in the contract's order.
    const PARTS: &'static [&'static str] = &[];

    /// Reads a value and takes over the memory of its strings and lists.
    ///
    /// # Safety
    /// At this address is a value of this type, which nobody reads again.
    unsafe fn lift(at: *const u8) -> Self;

    /// Writes the value and gives the memory of its strings and lists away with it.
    ///
    /// # Safety
    /// At this address are `SIZE` writable bytes, aligned to `ALIGN`.
    unsafe fn lower(self, at: *mut u8);
}

/// The next multiple of an alignment.
pub(crate) const fn aligned(offset: usize, align: usize) -> usize {
    offset.next_multiple_of(align)
}

/// The larger one.
pub(crate) const fn larger(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

/// Memory of the canonical ABI; no bytes are no memory, at an address that is only aligned.
fn take(size: usize, align: usize) -> *mut u8 {
    let Some(layout) = layout(size, align) else {
        return std::ptr::without_provenance_mut(align);
    };
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc(layout) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    at
}

/// Gives such memory back.
///
/// # Safety
/// It was taken with this size and alignment, here or by `cabi_realloc`, and nobody uses it any more.
unsafe fn give_back(at: *mut u8, size: usize, align: usize) {
    if let Some(layout) = layout(size, align) {
        // SAFETY: as the caller says.
        unsafe { dealloc(at, layout) };
    }
}

fn layout(size: usize, align: usize) -> Option<Layout> {
    Layout::from_size_align(size, align)
        .ok()
        .filter(|layout| layout.size() > 0)
}

/// A function of the contract: what it is called with and what it answers, in the types of its trait.
#[doc(hidden)]
pub trait Verb<P> {
    type Answer: Abi;
    fn call(self, parameters: P) -> Self::Answer;
}

/// Runs an exported function.
///
/// # Safety
/// The address is the one that the host passed for the parameters.
#[doc(hidden)]
pub unsafe fn run<P: Abi, V: Verb<P>>(verb: V, parameters: *mut u8) -> *mut u8 {
    // SAFETY: the host wrote the parameters there, into memory which it took with `cabi_realloc`.
    let read = unsafe {
        let read = P::lift(parameters);
        give_back(parameters, P::SIZE, P::ALIGN);
        read
    };
    answer(verb.call(read))
}

/// Writes an answer for the host to read.
#[doc(hidden)]
pub fn answer<R: Abi>(answer: R) -> *mut u8 {
    let at = take(R::SIZE, R::ALIGN);
    // SAFETY: the memory has been taken for this type.
    unsafe { answer.lower(at) };
    at
}

/// Words and numbers of a context as they lie in memory: six lists, two times, one list.
#[doc(hidden)]
pub type Flat = ([usize; 12], [u64; 2], [usize; 2]);

/// Runs an exported function that takes a context alone.
///
/// # Safety
/// The words are those that the host passed.
#[doc(hidden)]
pub unsafe fn run_with_context<V: Verb<(Context,)>>(
    verb: V,
    (before, times, behind): Flat,
) -> *mut u8 {
    let at = take(Context::SIZE, Context::ALIGN);
    let mut place = shapes::Place::new(at);
    // SAFETY: these are the fields of a context, in its order.
    unsafe {
        for word in before {
            word.lower(place.of::<usize>());
        }
        for time in times {
            time.lower(place.of::<u64>());
        }
        for word in behind {
            word.lower(place.of::<usize>());
        }
        run(verb, at)
    }
}

/// Frees the answer of an exported function after the host has read it.
///
/// # Safety
/// The address is what [`run`] returned for the same function.
#[doc(hidden)]
pub unsafe fn done<P, V: Verb<P>>(_: V, answer: *mut u8) {
    // SAFETY: `run` wrote an answer of this type there.
    unsafe { free::<V::Answer>(answer) };
}

/// Frees an answer.
///
/// # Safety
/// The address is what [`answer`] returned for the same type.
#[doc(hidden)]
pub unsafe fn free<R: Abi>(answer: *mut u8) {
    // SAFETY: an answer of this type was written there.
    unsafe {
        drop(R::lift(answer));
        give_back(answer, R::SIZE, R::ALIGN);
    }
}
