//! Numbers, strings, lists, options, results and tuples.

use super::{Abi, Verb, aligned, give_back, larger, take};

const POINTER: usize = size_of::<usize>();

macro_rules! number {
    ($($number:ty)*) => { $(
        impl Abi for $number {
            const SIZE: usize = size_of::<$number>();
            const ALIGN: usize = size_of::<$number>();
            #[inline(always)]
            unsafe fn lift(at: *const u8) -> Self {
                // SAFETY: aligned, and written by whoever passed the address.
                unsafe { at.cast::<$number>().read() }
            }
            #[inline(always)]
            unsafe fn lower(self, at: *mut u8) {
                // SAFETY: aligned and writable.
                unsafe { at.cast::<$number>().write(self) };
            }
        }
    )* };
}

number!(u8 u16 u32 u64 usize);

impl Abi for () {
    const SIZE: usize = 0;
    const ALIGN: usize = 1;
    unsafe fn lift(_: *const u8) -> Self {}
    unsafe fn lower(self, _: *mut u8) {}
}

impl Abi for bool {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;
    #[inline(always)]
    unsafe fn lift(at: *const u8) -> Self {
        // SAFETY: one byte.
        unsafe { u8::lift(at) != 0 }
    }
    #[inline(always)]
    unsafe fn lower(self, at: *mut u8) {
        // SAFETY: one byte.
        unsafe { u8::from(self).lower(at) };
    }
}

/// Address and number of elements.
unsafe fn extent(at: *const u8) -> (*mut u8, usize) {
    // SAFETY: a list is these two words.
    unsafe { (at.cast::<*mut u8>().read(), usize::lift(at.add(POINTER))) }
}

unsafe fn write_extent(at: *mut u8, elements: *mut u8, count: usize) {
    // SAFETY: a list is these two words.
    unsafe {
        at.cast::<*mut u8>().write(elements);
        count.lower(at.add(POINTER));
    }
}

impl Abi for String {
    const SIZE: usize = 2 * POINTER;
    const ALIGN: usize = POINTER;
    #[inline(never)]
    unsafe fn lift(at: *const u8) -> Self {
        // SAFETY: `cabi_realloc` took exactly these bytes, and the host has checked that they are UTF-8.
        unsafe {
            let (bytes, length) = extent(at);
            String::from_raw_parts(bytes, length, length)
        }
    }
    #[inline(never)]
    unsafe fn lower(self, at: *mut u8) {
        let bytes = Box::leak(self.into_bytes().into_boxed_slice());
        // SAFETY: two words.
        unsafe { write_extent(at, bytes.as_mut_ptr(), bytes.len()) };
    }
}

impl<T: Abi> Abi for Vec<T> {
    const SIZE: usize = 2 * POINTER;
    const ALIGN: usize = POINTER;
    #[inline(never)]
    unsafe fn lift(at: *const u8) -> Self {
        // SAFETY: so many elements lie there one after another, in memory which is given back once they are read.
        unsafe {
            let (elements, count) = extent(at);
            let list = (0..count)
                .map(|i| T::lift(elements.add(i * T::SIZE)))
                .collect();
            give_back(elements, count * T::SIZE, T::ALIGN);
            list
        }
    }
    #[inline(never)]
    unsafe fn lower(self, at: *mut u8) {
        let count = self.len();
        let elements = take(count * T::SIZE, T::ALIGN);
        // SAFETY: the memory has been taken for so many elements.
        unsafe {
            for (index, element) in self.into_iter().enumerate() {
                element.lower(elements.add(index * T::SIZE));
            }
            write_extent(at, elements, count);
        }
    }
}

impl<T: Abi> Abi for Option<T> {
    const SIZE: usize = aligned(aligned(1, T::ALIGN) + T::SIZE, Self::ALIGN);
    const ALIGN: usize = T::ALIGN;
    unsafe fn lift(at: *const u8) -> Self {
        // SAFETY: a byte tells whether there is a value behind it.
        unsafe { bool::lift(at).then(|| T::lift(at.add(aligned(1, T::ALIGN)))) }
    }
    unsafe fn lower(self, at: *mut u8) {
        // SAFETY: as above.
        unsafe {
            self.is_some().lower(at);
            if let Some(value) = self {
                value.lower(at.add(aligned(1, T::ALIGN)));
            }
        }
    }
}

impl<T: Abi, E: Abi> Abi for Result<T, E> {
    const SIZE: usize = aligned(
        aligned(1, Self::ALIGN) + larger(T::SIZE, E::SIZE),
        Self::ALIGN,
    );
    const ALIGN: usize = larger(T::ALIGN, E::ALIGN);
    unsafe fn lift(at: *const u8) -> Self {
        // SAFETY: a byte tells which of the two is behind it.
        unsafe {
            let value = at.add(aligned(1, Self::ALIGN));
            if bool::lift(at) {
                Err(E::lift(value))
            } else {
                Ok(T::lift(value))
            }
        }
    }
    unsafe fn lower(self, at: *mut u8) {
        // SAFETY: as above.
        unsafe {
            self.is_err().lower(at);
            let place = at.add(aligned(1, Self::ALIGN));
            match self {
                Ok(value) => value.lower(place),
                Err(error) => error.lower(place),
            }
        }
    }
}

macro_rules! tuple {
    ($($part:ident $value:ident),+) => {
        impl<$($part: Abi),+> Abi for ($($part,)+) {
            const SIZE: usize = {
                let mut size = 0;
                $( size = aligned(size, $part::ALIGN) + $part::SIZE; )+
                aligned(size, Self::ALIGN)
            };
            const ALIGN: usize = {
                let mut align = 1;
                $( align = larger(align, $part::ALIGN); )+
                align
            };
            unsafe fn lift(at: *const u8) -> Self {
                let mut place = super::shapes::Place::new(at.cast_mut());
                // SAFETY: the parts lie one after another.
                unsafe { $( let $value = $part::lift(place.of::<$part>()); )+ ($($value,)+) }
            }
            unsafe fn lower(self, at: *mut u8) {
                let ($($value,)+) = self;
                let mut place = super::shapes::Place::new(at);
                // SAFETY: the parts lie one after another.
                unsafe { $( $value.lower(place.of::<$part>()); )+ }
            }
        }

        impl<$($part,)+ R: Abi, F: FnOnce($($part),+) -> R> Verb<($($part,)+)> for F {
            type Answer = R;
            #[inline(always)]
            fn call(self, ($($value,)+): ($($part,)+)) -> R {
                self($($value),+)
            }
        }
    };
}

tuple!(A a);
tuple!(A a, B b);
tuple!(A a, B b, C c);
tuple!(A a, B b, C c, D d);
tuple!(A a, B b, C c, D d, E e);
tuple!(A a, B b, C c, D d, E e, G g);
