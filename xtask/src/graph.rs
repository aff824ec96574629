//! The workspace's crates as plain data: names, folders, layers and what each depends on.
//!
//! Reads `cargo metadata`; the rules are tidy's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::process;

/// A crate's layer; see the table in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Kernel,
    Domain,
    Policy,
    /// What adapters of one technology share.
    Technology,
    Adapter,
    /// The composition over ports; it names no adapter.
    Service,
    App,
    Probe,
    /// Tools for tests, such as the manual clock.
    Test,
    Sim,
    E2e,
    /// Measures our crates against those of others.
    Bench,
    Xtask,
}

impl Layer {
    /// Every layer, with the word for it in a manifest.
    pub(crate) const ALL: [(&'static str, Self); 13] = [
        ("kernel", Self::Kernel),
        ("domain", Self::Domain),
        ("policy", Self::Policy),
        ("technology", Self::Technology),
        ("adapter", Self::Adapter),
        ("service", Self::Service),
        ("app", Self::App),
        ("probe", Self::Probe),
        ("test", Self::Test),
        ("sim", Self::Sim),
        ("e2e", Self::E2e),
        ("bench", Self::Bench),
        ("xtask", Self::Xtask),
    ];

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, layer)| *layer)
    }

    /// The word for it in a manifest.
    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, layer)| *layer == self).expect("`ALL` lists every layer").0
    }

    /// Whether crates of this layer touch the world outside the process, databases among it.
    pub(crate) fn does_io(self) -> bool {
        matches!(self, Self::Technology | Self::Adapter | Self::App | Self::Probe | Self::E2e)
    }
}

/// One crate of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Relative to the workspace's root, with forward slashes: `crates/market`.
    pub(crate) folder: String,
    /// `None` if the manifest names no layer, or an unknown one.
    pub(crate) layer: Option<Layer>,
    pub(crate) dependencies: Vec<Dependency>,
    /// The names of its `[[bench]]` targets.
    pub(crate) benches: Vec<String>,
}

/// One line of a crate's dependency tables.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) to: String,
    pub(crate) kind: DependencyKind,
    pub(crate) optional: bool,
    pub(crate) default_features: bool,
    pub(crate) features: Vec<String>,
    /// The only `cfg(…)` or platform that it is for.
    pub(crate) target: Option<String>,
}

impl Crate {
    fn of(package: &Package, metadata: &Metadata) -> Result<Self> {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let folder =
            folder.strip_prefix(&metadata.workspace_root).context("a member lies in the workspace")?;
        let dependencies = package.dependencies.iter().map(|dependency| Dependency {
            to: dependency.name.clone(),
            kind: dependency.kind,
            optional: dependency.optional,
            default_features: dependency.uses_default_features,
            features: dependency.features.clone(),
            target: dependency.target.as_ref().map(ToString::to_string),
        });
        let benches =
            package.targets.iter().filter(|target| target.is_bench()).map(|target| target.name.clone());
        Ok(Self {
            name: package.name.to_string(),
            folder: folder.as_str().to_owned(),
            layer: package.metadata["architecture"]["layer"].as_str().and_then(Layer::from_word),
            dependencies: dependencies.collect(),
            benches: benches.collect(),
        })
    }
}

/// The workspace as cargo sees it; fetches nothing.
fn metadata() -> Result<Metadata> {
    MetadataCommand::new().current_dir(process::root()).no_deps().exec().context("cannot read the workspace")
}

/// The crates of this workspace.
pub(crate) fn read() -> Result<Vec<Crate>> {
    let metadata = metadata()?;
    metadata.packages.iter().map(|package| Crate::of(package, &metadata)).collect()
}

/// The folder of cargo's artefacts, wherever the caller's settings put it.
pub(crate) fn target_folder() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.into_std_path_buf())
}

/// Model checkers: each takes the place of the standard library's atomics when built with the cfg of its name, and has a
/// test program of its name.
pub(crate) const CHECKERS: [&str; 2] = ["loom", "shuttle"];

impl Dependency {
    /// Whether this brings in a model checker, in that checker's builds only.
    pub(crate) fn is_checker(&self) -> bool {
        CHECKERS.contains(&&*self.to) && self.target == Some(format!("cfg({})", self.to))
    }
}

#[cfg(test)]
impl Crate {
    /// A crate in its proper folder that depends on nothing.
    pub(crate) fn new(name: &str, layer: Layer) -> Self {
        let folder = format!("crates/{}", name.trim_start_matches("ttm-"));
        Self {
            name: name.to_owned(),
            folder,
            layer: Some(layer),
            dependencies: Vec::new(),
            benches: Vec::new(),
        }
    }

    /// The same crate with one more dependency, as `name.workspace = true` declares it.
    pub(crate) fn using(mut self, to: &str, kind: DependencyKind) -> Self {
        let dependency = Dependency {
            to: to.to_owned(),
            kind,
            optional: false,
            default_features: true,
            features: Vec::new(),
            target: None,
        };
        self.dependencies.push(dependency);
        self
    }

    /// The dependency declared last.
    pub(crate) fn last(&mut self) -> &mut Dependency {
        self.dependencies.last_mut().expect("a dependency was declared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_workspace_is_read_with_its_layers_and_its_edges() -> Result<()> {
        let crates = read()?;
        let find = |name: &str| crates.iter().find(|each| each.name == name).context("a member is missing");
        assert_eq!(find("ttm-kernel")?.layer, Some(Layer::Kernel));
        assert_eq!(find("ttm-kernel")?.folder, "crates/kernel");
        assert!(find("ttm-guard")?.dependencies.iter().any(|dependency| dependency.to == "ttm-breaker"));
        Ok(())
    }

    #[test]
    fn a_layer_and_its_word_name_each_other() {
        for (word, layer) in Layer::ALL {
            assert_eq!(Layer::from_word(word), Some(layer));
            assert_eq!(layer.word(), word);
        }
        assert_eq!(Layer::from_word("attic"), None);
    }
}
