//! The GraphQL operations that only a deploy needs: one `.graphql` file each, one table of all.
//!
//! What stopping and looking need lives with `launch-kill`. Signatures: Railway's public API schema
//! (introspection, CLI 5.71.0).

use launch_kill::{Op, Retry};

/// Deploys one commit. Sent once: a repeat would make a second deployment.
pub const SERVICE_INSTANCE_DEPLOY_V2: Op = Op {
    name: "ServiceInstanceDeployV2",
    query: include_str!("service_instance_deploy_v2.graphql"),
    retry: Retry::Never,
};
/// The service's settings.
pub const SERVICE_INSTANCE_SETTINGS: Op = Op {
    name: "ServiceInstanceSettings",
    query: include_str!("service_instance_settings.graphql"),
    retry: Retry::Always,
};
/// Changes settings; the same change twice is one change.
pub const SERVICE_INSTANCE_UPDATE: Op = Op {
    name: "ServiceInstanceUpdate",
    query: include_str!("service_instance_update.graphql"),
    retry: Retry::Always,
};
/// Writes several variables.
pub const VARIABLE_COLLECTION_UPSERT: Op = Op {
    name: "VariableCollectionUpsert",
    query: include_str!("variable_collection_upsert.graphql"),
    retry: Retry::Always,
};

/// All operations of this folder, for the test that validates each against the schema.
pub const ALL: &[Op] = &[
    SERVICE_INSTANCE_DEPLOY_V2,
    SERVICE_INSTANCE_SETTINGS,
    SERVICE_INSTANCE_UPDATE,
    VARIABLE_COLLECTION_UPSERT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_the_folder_is_in_the_table() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platform/ops");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "graphql"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        let in_table: BTreeSet<String> = ALL.iter().map(|op| op.query.to_owned()).collect();
        assert_eq!(on_disk, in_table);
    }

    #[test]
    fn only_the_deploy_itself_may_not_be_repeated() {
        for op in ALL {
            let once = op.retry == Retry::Never;
            assert_eq!(once, op.name == "ServiceInstanceDeployV2", "{}", op.name);
            assert!(op.query.contains(&format!(" {}(", op.name)), "{}", op.name);
        }
    }
}
