//! Every GraphQL operation of the kill path: one `.graphql` file each, one table of all.
//!
//! The documents go out verbatim and are validated elsewhere against the platform's schema, so
//! nothing here builds or edits a document at run time. Signatures: Railway's public API schema
//! (introspection, CLI 5.71.0); each file says what its operation is for.

/// One GraphQL operation: the document and how it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// The operation's name in the document; also goes into the query string (`?query=Name`).
    pub name: &'static str,
    /// The document, sent verbatim. Exactly one operation.
    pub query: &'static str,
    /// When the request may be sent again after a failure.
    pub retry: Retry,
}

/// When a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Changes nothing, or changes nothing more when repeated (reads, stop, remove, cancel,
    /// upserts): repeated after network errors, timeouts, 429 and 5xx until the deadline.
    Always,
    /// A repeat could do it twice (a second deployment): sent once, never again. After a lost
    /// answer the caller must look at what happened ([`crate::CallError::may_have_acted`]).
    Never,
}

/// The project and environment of a project token.
pub const PROJECT_TOKEN: Op = Op {
    name: "ProjectToken",
    query: include_str!("project_token.graphql"),
    retry: Retry::Always,
};
/// What a project token reaches: its environment, the services there, what they run.
pub const TOKEN_OVERVIEW: Op = Op {
    name: "TokenOverview",
    query: include_str!("token_overview.graphql"),
    retry: Retry::Always,
};
/// The services of one environment.
pub const ENVIRONMENT_SERVICES: Op = Op {
    name: "EnvironmentServices",
    query: include_str!("environment_services.graphql"),
    retry: Retry::Always,
};
/// Whether a service exists in an environment.
pub const SERVICE_INSTANCE: Op = Op {
    name: "ServiceInstance",
    query: include_str!("service_instance.graphql"),
    retry: Retry::Always,
};
/// One page of deployments.
pub const DEPLOYMENTS: Op = Op {
    name: "Deployments",
    query: include_str!("deployments.graphql"),
    retry: Retry::Always,
};
/// Ids and statuses of the newest deployments, for the shell lines of `--print-curl`.
pub const DEPLOYMENT_IDS: Op = Op {
    name: "DeploymentIds",
    query: include_str!("deployment_ids.graphql"),
    retry: Retry::Always,
};
/// One deployment.
pub const DEPLOYMENT: Op = Op {
    name: "Deployment",
    query: include_str!("deployment.graphql"),
    retry: Retry::Always,
};
/// Stops a running deployment.
pub const DEPLOYMENT_STOP: Op = Op {
    name: "DeploymentStop",
    query: include_str!("deployment_stop.graphql"),
    retry: Retry::Always,
};
/// Removes a deployment.
pub const DEPLOYMENT_REMOVE: Op = Op {
    name: "DeploymentRemove",
    query: include_str!("deployment_remove.graphql"),
    retry: Retry::Always,
};
/// Cancels a deployment in progress.
pub const DEPLOYMENT_CANCEL: Op = Op {
    name: "DeploymentCancel",
    query: include_str!("deployment_cancel.graphql"),
    retry: Retry::Always,
};
/// Whether a push deploys.
pub const AUTO_DEPLOY_STATUS: Op = Op {
    name: "AutoDeployStatus",
    query: include_str!("auto_deploy_status.graphql"),
    retry: Retry::Always,
};
/// Turns deployment on push off or on.
pub const AUTO_DEPLOY_UPDATE: Op = Op {
    name: "AutoDeployUpdate",
    query: include_str!("auto_deploy_update.graphql"),
    retry: Retry::Always,
};
/// The service's variables.
pub const VARIABLES: Op = Op {
    name: "Variables",
    query: include_str!("variables.graphql"),
    retry: Retry::Always,
};
/// Writes one service variable.
pub const VARIABLE_UPSERT: Op = Op {
    name: "VariableUpsert",
    query: include_str!("variable_upsert.graphql"),
    retry: Retry::Always,
};

/// All operations of this package, for the test that validates each against the schema.
pub const ALL: &[Op] = &[
    PROJECT_TOKEN,
    TOKEN_OVERVIEW,
    ENVIRONMENT_SERVICES,
    SERVICE_INSTANCE,
    DEPLOYMENTS,
    DEPLOYMENT_IDS,
    DEPLOYMENT,
    DEPLOYMENT_STOP,
    DEPLOYMENT_REMOVE,
    DEPLOYMENT_CANCEL,
    AUTO_DEPLOY_STATUS,
    AUTO_DEPLOY_UPDATE,
    VARIABLES,
    VARIABLE_UPSERT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_document_holds_exactly_its_own_operation() {
        for op in ALL {
            let heads: Vec<&str> = op
                .query
                .lines()
                .filter(|line| line.starts_with("query ") || line.starts_with("mutation "))
                .collect();
            assert_eq!(heads.len(), 1, "{}", op.name);
            let named = heads[0].split([' ', '(']).nth(1).unwrap();
            assert_eq!(named, op.name);
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_table() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ops");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "graphql"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        let in_table: BTreeSet<String> = ALL.iter().map(|op| op.query.to_owned()).collect();
        assert_eq!(on_disk, in_table);
    }
}
