//! One lock of one byte per slot.

use aidb_base::slot::SLOTS;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::Mode;
use crate::stop::Stop;

/// Attempts before a reactor gives up on a lock; its holder is usually done within a microsecond.
const SPINS_MAX: u32 = 200;

/// A held slot.
pub struct SlotLock<'a> {
    /// Absent when the transaction around it holds the slot.
    _guard: Option<MutexGuard<'a, ()>>,
}

impl SlotLock<'_> {
    /// The lock of a slot that a transaction holds already.
    pub(super) const HELD: Self = Self { _guard: None };
}

/// Several held slots.
pub struct AllSlots<'a> {
    _guards: SmallVec<[MutexGuard<'a, ()>; 8]>,
}

impl AllSlots<'_> {
    /// The locks of slots that a transaction holds already.
    pub(super) fn held() -> Self {
        Self { _guards: SmallVec::new() }
    }
}

/// The locks of all slots.
pub struct SlotLocks {
    slots: Box<[Mutex<()>]>,
}

impl SlotLocks {
    pub(super) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::new(())).collect() }
    }

    #[inline]
    pub(super) fn lock(&self, mode: Mode, slot: u16) -> Result<SlotLock<'_>, Stop> {
        Ok(SlotLock { _guard: Some(self.guard(mode, slot)?) })
    }

    /// Takes the slots in ascending order, each once.
    pub(super) fn lock_many(
        &self,
        mode: Mode,
        slots: impl Iterator<Item = u16>,
    ) -> Result<AllSlots<'_>, Stop> {
        let mut slots: SmallVec<[u16; 32]> = slots.collect();
        slots.sort_unstable();
        slots.dedup();
        let mut guards = SmallVec::with_capacity(slots.len());
        for slot in slots {
            guards.push(self.guard(mode, slot)?);
        }
        Ok(AllSlots { _guards: guards })
    }

    /// Waits for every slot.
    pub(super) fn lock_every_slot(&self) -> AllSlots<'_> {
        AllSlots { _guards: self.slots.iter().map(Mutex::lock).collect() }
    }

    #[inline]
    fn guard(&self, mode: Mode, slot: u16) -> Result<MutexGuard<'_, ()>, Stop> {
        let lock = &self.slots[usize::from(slot % SLOTS)];
        if let Some(guard) = lock.try_lock() {
            return Ok(guard);
        }
        if mode == Mode::Wait {
            return Ok(lock.lock());
        }
        for _ in 0..SPINS_MAX {
            std::hint::spin_loop();
            if let Some(guard) = lock.try_lock() {
                return Ok(guard);
            }
        }
        Err(Stop::WouldBlock)
    }
}
