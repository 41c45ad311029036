//! What EVAL and FCALL run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::flags::Flags;
use super::functions::{Library, LibraryFunction};
use super::scripts::Script;

/// A script, or a function of a library.
#[derive(Clone, Debug)]
pub(super) enum Program {
    /// A script.
    Script(Arc<Script>),
    /// A library and the place of the function in it.
    Function(Arc<Library>, usize),
}

impl Program {
    /// How errors name it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Script(script) => &script.digest,
            Self::Function(library, at) => function(library, *at).map_or("", |f| &f.name),
        }
    }

    /// What it declares; `None`: nothing at all.
    pub(super) fn flags(&self) -> Option<Flags> {
        match self {
            Self::Script(script) => script.flags,
            Self::Function(library, at) => Some(function(library, *at)?.flags),
        }
    }

    /// How errors name its text.
    pub(super) fn source(&self) -> &'static str {
        if self.is_function() { "@user_function" } else { "@user_script" }
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self, Self::Function(..))
    }

    /// Whether it touched keys that it did not declare.
    pub(super) fn needs_every_slot(&self) -> bool {
        self.roams().is_some_and(|roams| roams.load(Ordering::Relaxed))
    }

    /// The next time every slot is held from the beginning.
    pub(super) fn learn_that_it_roams(&self) {
        if let Some(roams) = self.roams() {
            roams.store(true, Ordering::Relaxed);
        }
    }

    fn roams(&self) -> Option<&AtomicBool> {
        match self {
            Self::Script(script) => Some(&script.roams),
            Self::Function(library, at) => function(library, *at).map(|f| &f.roams),
        }
    }
}

fn function(library: &Library, at: usize) -> Option<&LibraryFunction> {
    library.functions.get(at)
}
