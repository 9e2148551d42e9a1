//! From the plain contract to the component model's types and back, field by field and without judgement.
//!
//! The two sides have the same fields by construction; the macros list them once, so a field that is added to one side
//! only does not compile.

mod backend;
mod connections;
mod groups;
mod identity;
mod migrating;
mod replication;
mod types;
mod volumes;

/// A conversion that cannot fail. A trait of our own, because lists, options and results have to be looked into.
pub trait Convert<T> {
    /// The same value in the other world.
    fn convert(self) -> T;
}

macro_rules! same {
    ($($ty:ty),+ $(,)?) => { $(
        impl Convert<$ty> for $ty {
            fn convert(self) -> $ty { self }
        }
    )+ };
}
same!(String, bool, u8, u16, u32, u64, (), (String, String));

impl<A: Convert<B>, B> Convert<Option<B>> for Option<A> {
    fn convert(self) -> Option<B> {
        self.map(Convert::convert)
    }
}

impl<A: Convert<B>, B> Convert<Vec<B>> for Vec<A> {
    fn convert(self) -> Vec<B> {
        self.into_iter().map(Convert::convert).collect()
    }
}

impl<A: Convert<B>, B, C: Convert<D>, D> Convert<Result<B, D>> for Result<A, C> {
    fn convert(self) -> Result<B, D> {
        match self {
            Ok(value) => Ok(value.convert()),
            Err(error) => Err(error.convert()),
        }
    }
}

/// A record, `lower` (to the guest), `lift` (from it) or `both`.
macro_rules! record {
    (lower $wit:ty, $model:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::convert::Convert<$wit> for $model {
            fn convert(self) -> $wit {
                let Self { $($field),+ } = self;
                type Wit = $wit;
                Wit { $($field: $crate::convert::Convert::convert($field)),+ }
            }
        }
    };
    (lift $wit:ty, $model:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::convert::Convert<$model> for $wit {
            fn convert(self) -> $model {
                let Self { $($field),+ } = self;
                type Model = $model;
                Model { $($field: $crate::convert::Convert::convert($field)),+ }
            }
        }
    };
    (both $wit:ty, $model:ty { $($field:ident),+ $(,)? }) => {
        $crate::convert::record!(lower $wit, $model { $($field),+ });
        $crate::convert::record!(lift $wit, $model { $($field),+ });
    };
}

/// A variant whose cases carry nothing, save `other`.
macro_rules! variant {
    (lower $wit:ty, $model:ty { $($case:ident),+ $(,)? }) => {
        impl $crate::convert::Convert<$wit> for $model {
            fn convert(self) -> $wit {
                type Wit = $wit;
                match self { $(Self::$case => Wit::$case,)+ Self::Other(text) => Wit::Other(text) }
            }
        }
    };
    (lift $wit:ty, $model:ty { $($case:ident),+ $(,)? }) => {
        impl $crate::convert::Convert<$model> for $wit {
            fn convert(self) -> $model {
                type Model = $model;
                match self { $(Self::$case => Model::$case,)+ Self::Other(text) => Model::Other(text) }
            }
        }
    };
    (both $wit:ty, $model:ty { $($case:ident),+ $(,)? }) => {
        $crate::convert::variant!(lower $wit, $model { $($case),+ });
        $crate::convert::variant!(lift $wit, $model { $($case),+ });
    };
}

pub(crate) use {record, variant};
