//! Records and variants: what a list of their fields or cases becomes.

use super::{Abi, aligned};

/// Goes through the fields of a record.
pub(crate) struct Place {
    start: *mut u8,
    offset: usize,
}

impl Place {
    #[inline(always)]
    pub(crate) fn new(start: *mut u8) -> Self {
        Self { start, offset: 0 }
    }

    /// Where the next field is.
    ///
    /// # Safety
    /// The record has one more field, of this type.
    #[inline(always)]
    pub(crate) unsafe fn of<T: Abi>(&mut self) -> *mut u8 {
        let here = aligned(self.offset, T::ALIGN);
        self.offset = here + T::SIZE;
        // SAFETY: within the record.
        unsafe { self.start.add(here) }
    }
}

/// `record!(Change { target: String, text: String })`: the fields in the contract's order.
macro_rules! record {
    ($record:path { $($field:ident: $of:ty),+ $(,)? }) => {
        impl Abi for $record {
            const SIZE: usize = {
                let mut size = 0;
                $( size = aligned(size, <$of>::ALIGN) + <$of>::SIZE; )+
                aligned(size, Self::ALIGN)
            };
            const ALIGN: usize = {
                let mut align = 1;
                $( align = larger(align, <$of>::ALIGN); )+
                align
            };
            const PARTS: &'static [&'static str] = &[$(stringify!($field)),+];
            #[inline(never)]
            unsafe fn lift(at: *const u8) -> Self {
                let mut place = Place::new(at.cast_mut());
                // SAFETY: the fields lie one after another.
                unsafe { Self { $( $field: <$of>::lift(place.of::<$of>()) ),+ } }
            }
            #[inline(never)]
            unsafe fn lower(self, at: *mut u8) {
                let mut place = Place::new(at);
                // SAFETY: the fields lie one after another.
                unsafe { $( self.$field.lower(place.of::<$of>()); )+ }
            }
        }
    };
}

/// `variant!(Error { 0 Pending(pending: Pending), 1 Failed(failure: Failure) })`: all cases, numbered.
macro_rules! variant {
    ($variant:path { $($index:literal $case:ident $(($value:ident: $of:ty))?),+ $(,)? }) => {
        impl Abi for $variant {
            const SIZE: usize = {
                let size = 0;
                $($( let size = larger(size, <$of>::SIZE); )?)+
                aligned(aligned(1, Self::ALIGN) + size, Self::ALIGN)
            };
            const ALIGN: usize = {
                let align = 1;
                $($( let align = larger(align, <$of>::ALIGN); )?)+
                align
            };
            const PARTS: &'static [&'static str] = &[$(stringify!($case)),+];
            #[inline(never)]
            unsafe fn lift(at: *const u8) -> Self {
                // SAFETY: a byte tells which case is behind it.
                unsafe {
                    match u8::lift(at) {
                        $( $index => Self::$case $( (<$of>::lift(at.add(aligned(1, Self::ALIGN)))) )?, )+
                        // The host does not pass what the contract does not have.
                        _ => std::process::abort(),
                    }
                }
            }
            #[inline(never)]
            unsafe fn lower(self, at: *mut u8) {
                // SAFETY: as above.
                unsafe {
                    match self {
                        $( Self::$case $( ($value) )? => {
                            let index: u8 = $index;
                            index.lower(at);
                            $( <$of>::lower($value, at.add(aligned(1, Self::ALIGN))); )?
                        } )+
                    }
                }
            }
        }
    };
}

pub(crate) use {record, variant};
