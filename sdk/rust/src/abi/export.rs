//! The exported functions: each one a name and the trait's function.
//!
//! The macros of `wit-bindgen` are handed these modules in place of its own.

/// Exports some functions of an interface.
#[doc(hidden)]
#[macro_export]
macro_rules! export_functions {
    ($driver:ident as $trait:path: $($name:literal $function:ident),+) => { $(
        const _: () = {
            #[unsafe(export_name = concat!("springform:driver/", $name))]
            unsafe extern "C" fn run(parameters: *mut u8) -> *mut u8 {
                unsafe { $crate::abi::run(<$driver as $trait>::$function, parameters) }
            }
            #[unsafe(export_name = concat!("cabi_post_springform:driver/", $name))]
            unsafe extern "C" fn done(answer: *mut u8) {
                unsafe { $crate::abi::done(<$driver as $trait>::$function, answer) }
            }
        };
    )+ };
}

/// `describe` takes nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! export_identity_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        const _: () = {
            #[unsafe(export_name = "springform:driver/identity@0.1.0#describe")]
            unsafe extern "C" fn run() -> *mut u8 {
                $crate::abi::answer(<$driver as $crate::interfaces::identity::Guest>::describe())
            }
            #[unsafe(export_name = "cabi_post_springform:driver/identity@0.1.0#describe")]
            unsafe extern "C" fn done(answer: *mut u8) {
                unsafe { $crate::abi::free::<$crate::interfaces::identity::Description>(answer) }
            }
        };
    };
}

/// The functions of `backend` take a context alone. That is little enough to travel as plain arguments: a list or a string
/// is an address and a length.
#[doc(hidden)]
#[macro_export]
macro_rules! export_backend_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_backend_functions!(@ $driver:
            "backend@0.1.0#setup" setup,
            "backend@0.1.0#check" check,
            "backend@0.1.0#stats" stats
        );
    };
    (@ $driver:ident: $($name:literal $function:ident),+) => { $(
        const _: () = {
            #[unsafe(export_name = concat!("springform:driver/", $name))]
            unsafe extern "C" fn run(
                a0: usize, a1: usize, b0: usize, b1: usize, c0: usize, c1: usize, d0: usize, d1: usize,
                e0: usize, e1: usize, f0: usize, f1: usize, deadline: u64, now: u64, g0: usize, g1: usize,
            ) -> *mut u8 {
                let before = [a0, a1, b0, b1, c0, c1, d0, d1, e0, e1, f0, f1];
                unsafe {
                    $crate::abi::run_with_context(
                        <$driver as $crate::interfaces::backend::Guest>::$function,
                        (before, [deadline, now], [g0, g1]),
                    )
                }
            }
            #[unsafe(export_name = concat!("cabi_post_springform:driver/", $name))]
            unsafe extern "C" fn done(answer: *mut u8) {
                unsafe {
                    $crate::abi::done(<$driver as $crate::interfaces::backend::Guest>::$function, answer)
                }
            }
        };
    )+ };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_volumes_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_functions!($driver as $crate::interfaces::volumes::Guest:
            "volumes@0.1.0#create" create,
            "volumes@0.1.0#create-from-snapshot" create_from_snapshot,
            "volumes@0.1.0#clone" clone,
            "volumes@0.1.0#delete" delete,
            "volumes@0.1.0#extend" extend,
            "volumes@0.1.0#create-snapshot" create_snapshot,
            "volumes@0.1.0#delete-snapshot" delete_snapshot,
            "volumes@0.1.0#revert" revert,
            "volumes@0.1.0#retype" retype,
            "volumes@0.1.0#inspect" inspect,
            "volumes@0.1.0#manage" manage,
            "volumes@0.1.0#unmanage" unmanage,
            "volumes@0.1.0#manage-snapshot" manage_snapshot,
            "volumes@0.1.0#unmanage-snapshot" unmanage_snapshot,
            "volumes@0.1.0#list-manageable" list_manageable,
            "volumes@0.1.0#list-manageable-snapshots" list_manageable_snapshots
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_connections_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_functions!($driver as $crate::interfaces::connections::Guest:
            "connections@0.1.0#connect" connect,
            "connections@0.1.0#disconnect" disconnect
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_replication_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_functions!($driver as $crate::interfaces::replication::Guest:
            "replication@0.1.0#observe" observe,
            "replication@0.1.0#plan-failover" plan_failover,
            "replication@0.1.0#final-sync" final_sync,
            "replication@0.1.0#demote" demote,
            "replication@0.1.0#fail-over" fail_over,
            "replication@0.1.0#finish-failover" finish_failover,
            "replication@0.1.0#reprotect" reprotect,
            "replication@0.1.0#resync" resync,
            "replication@0.1.0#enable" enable,
            "replication@0.1.0#disable" disable,
            "replication@0.1.0#start-test" start_test,
            "replication@0.1.0#stop-test" stop_test,
            "replication@0.1.0#commit-test" commit_test,
            "replication@0.1.0#reconcile" reconcile
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_groups_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_functions!($driver as $crate::interfaces::groups::Guest:
            "groups@0.1.0#create" create,
            "groups@0.1.0#delete" delete,
            "groups@0.1.0#update" update,
            "groups@0.1.0#create-snapshot" create_snapshot,
            "groups@0.1.0#delete-snapshot" delete_snapshot,
            "groups@0.1.0#create-from" create_from,
            "groups@0.1.0#enable-replication" enable_replication,
            "groups@0.1.0#disable-replication" disable_replication
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_migrating_functions {
    ($driver:ident with_types_in $($path:tt)*) => {
        $crate::export_functions!($driver as $crate::interfaces::migrating::Guest:
            "migrating@0.1.0#offer" offer,
            "migrating@0.1.0#accept" accept,
            "migrating@0.1.0#send" send,
            "migrating@0.1.0#receive" receive,
            "migrating@0.1.0#release" release,
            "migrating@0.1.0#settle" settle
        );
    };
}

#[doc(hidden)]
pub mod exports {
    pub mod springform {
        pub mod driver {
            pub mod identity {
                pub use crate::export_identity_functions as __export_springform_driver_identity_0_1_0_cabi;
            }
            pub mod backend {
                pub use crate::export_backend_functions as __export_springform_driver_backend_0_1_0_cabi;
            }
            pub mod volumes {
                pub use crate::export_volumes_functions as __export_springform_driver_volumes_0_1_0_cabi;
            }
            pub mod connections {
                pub use crate::export_connections_functions as __export_springform_driver_connections_0_1_0_cabi;
            }
            pub mod replication {
                pub use crate::export_replication_functions as __export_springform_driver_replication_0_1_0_cabi;
            }
            pub mod groups {
                pub use crate::export_groups_functions as __export_springform_driver_groups_0_1_0_cabi;
            }
            pub mod migrating {
                pub use crate::export_migrating_functions as __export_springform_driver_migrating_0_1_0_cabi;
            }
        }
    }
}
