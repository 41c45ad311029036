//! Libraries of functions: which there are, and which function is whose.
//!
//! The texts are stored with the data; what each registers is found by running it. Every thread's
//! interpreter loads a library when one of its functions is first called there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_redis::store::LibraryChange;
use aidb_redis::{Outcome, Stop, Store};
use parking_lot::{Mutex, RwLock};

use super::flags::Flags;
use super::interpreter::Interpreter;
use super::shebang::{self, Header};

/// A library as FUNCTION LOAD made it.
#[derive(Debug)]
pub(crate) struct Library {
    /// Never used twice while the node runs.
    pub(super) id: u64,
    pub(super) name: String,
    /// As it was sent.
    pub(super) text: Vec<u8>,
    /// In the order of their registration.
    pub(super) functions: Vec<LibraryFunction>,
    /// Where the text's first line ends.
    header_end: usize,
}

impl Library {
    /// What the compiler gets: the first line is blank.
    pub(super) fn code(&self) -> &[u8] {
        &self.text[self.header_end..]
    }
}

/// A function that a library registered.
#[derive(Debug)]
pub(crate) struct LibraryFunction {
    pub(super) name: String,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: Flags,
    /// It touched keys that it did not declare.
    pub(super) roams: AtomicBool,
}

/// All libraries at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    pub(super) libraries: BTreeMap<String, Arc<Library>>,
    /// By name in lower case.
    functions: HashMap<String, (Arc<Library>, usize)>,
}

impl Catalog {
    /// The function of a name in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<(Arc<Library>, usize)> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.functions.get(&name).cloned()
    }

    /// Adds a library.
    ///
    /// # Errors
    /// When its name, unless it `replaces`, or one of its functions is there already.
    pub(super) fn add(&mut self, library: &Arc<Library>, replaces: bool) -> Outcome {
        let name = &library.name;
        if self.remove(name) && !replaces {
            return Err(Stop::fail(format!("ERR Library {name} already exists")));
        }
        let mut added = HashMap::new();
        for (at, function) in library.functions.iter().enumerate() {
            let key = function.name.to_ascii_lowercase();
            if self.functions.contains_key(&key) {
                return Err(Stop::fail(format!("ERR Function {} already exists", function.name)));
            }
            added.entry(key).or_insert_with(|| (Arc::clone(library), at));
        }
        self.functions.extend(added);
        self.libraries.insert(name.clone(), Arc::clone(library));
        Ok(())
    }

    /// Removes the library of a name; whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some(removed) = self.libraries.remove(name) else { return false };
        self.functions.retain(|_, (library, _)| library.id != removed.id);
        true
    }

    /// What has to be stored so that what is stored becomes `after`.
    fn changes_to<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = LibraryChange<'a>> {
        let gone = self.libraries.keys().filter(|name| !after.libraries.contains_key(*name));
        let new = after.libraries.values().filter(|library| {
            self.libraries.get(&library.name).is_none_or(|before| before.id != library.id)
        });
        gone.map(|name| LibraryChange::Remove(name.as_bytes())).chain(new.map(|library| {
            LibraryChange::Put { name: library.name.as_bytes(), text: &library.text }
        }))
    }
}

/// The libraries of a node.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    catalog: RwLock<Arc<Catalog>>,
    /// Held while the catalog changes.
    changing: Mutex<()>,
    next_id: AtomicU64,
}

impl Functions {
    /// Reads the stored libraries. One that cannot be loaded, because another version of us or of
    /// Redis wrote it, is told of and has no functions until it is replaced.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn open(store: &Store) -> aidb_base::Result<Self> {
        let functions = Self::default();
        let texts = store.libraries()?;
        if texts.is_empty() {
            return Ok(functions);
        }
        let mut interpreter = Interpreter::new()?;
        let mut catalog = Catalog::default();
        for text in texts {
            let read = functions.read(&mut interpreter, &text);
            if let Err(stop) = read.and_then(|library| catalog.add(&library, false)) {
                tell(&stop);
                if let Ok(header) = shebang::of_library(&text) {
                    let library = functions.library(header, text, Vec::new());
                    catalog.libraries.insert(library.name.clone(), library);
                }
            }
        }
        *functions.catalog.write() = Arc::new(catalog);
        Ok(functions)
    }

    /// All libraries now.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read())
    }

    /// Number of libraries and of functions.
    pub(crate) fn count(&self) -> (usize, usize) {
        let catalog = self.catalog.read();
        (catalog.libraries.len(), catalog.functions.len())
    }

    /// The library of a text, whose functions are found by running it.
    ///
    /// # Errors
    /// What FUNCTION LOAD answers.
    pub(super) fn read(
        &self,
        interpreter: &mut Interpreter,
        text: &[u8],
    ) -> Result<Arc<Library>, Stop> {
        let header = shebang::of_library(text)?;
        let registered = interpreter.register(&text[header.end..])?;
        if registered.is_empty() {
            return Err(Stop::fail("ERR No functions registered"));
        }
        let functions = registered.into_iter().map(|registered| LibraryFunction {
            name: registered.name,
            description: registered.description,
            flags: registered.flags,
            roams: AtomicBool::new(false),
        });
        Ok(self.library(header, text.to_vec(), functions.collect()))
    }

    fn library(
        &self,
        header: Header,
        text: Vec<u8>,
        functions: Vec<LibraryFunction>,
    ) -> Arc<Library> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Arc::new(Library { id, name: header.name, text, functions, header_end: header.end })
    }

    /// Changes the libraries as `plan` says, first where they are stored. May wait.
    ///
    /// # Errors
    /// Those of `plan` and of the engine; then nothing changed.
    pub(super) fn change(
        &self,
        store: &Store,
        plan: impl FnOnce(&mut Catalog) -> Outcome,
    ) -> Outcome {
        let _alone = self.changing.lock();
        let before = self.catalog();
        let mut after = Catalog::clone(&before);
        plan(&mut after)?;
        store.change_libraries(before.changes_to(&after))?;
        *self.catalog.write() = Arc::new(after);
        Ok(())
    }
}

fn tell(stop: &Stop) {
    let reason = match stop {
        Stop::Fail(line) => String::from_utf8_lossy(line).into_owned(),
        other => format!("{other:?}"),
    };
    eprintln!(
        "a library of functions cannot be loaded: {reason}; replace it with FUNCTION LOAD REPLACE or \
         remove it with FUNCTION DELETE"
    );
}
