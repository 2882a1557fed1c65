//! Places with stable numbers, in blocks, so that growing never copies what is there.

const BLOCK: usize = 1024;

/// Values by number. Numbers of what was taken out are used again.
#[derive(Debug)]
pub(super) struct Slab<S> {
    blocks: Vec<Vec<S>>,
    free: Vec<u32>,
}

impl<S> Default for Slab<S> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new() }
    }
}

impl<S: Default> Slab<S> {
    pub(super) fn put(&mut self, value: S) -> u32 {
        if let Some(id) = self.free.pop() {
            *self.at_mut(id) = value;
            return id;
        }
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(value),
            // The first block grows from nothing: most streams have few subjects.
            last => {
                let mut block = Vec::with_capacity(if last.is_some() { BLOCK } else { 1 });
                block.push(value);
                self.blocks.push(block);
            }
        }
        let before = (self.blocks.len() - 1) * BLOCK;
        let within = self.blocks.last().map_or(0, Vec::len) - 1;
        u32::try_from(before + within).expect("memory ends before four thousand million nodes")
    }

    pub(super) fn take(&mut self, id: u32) -> S {
        self.free.push(id);
        std::mem::take(self.at_mut(id))
    }

    pub(super) fn at(&self, id: u32) -> &S {
        let id = id as usize;
        &self.blocks[id / BLOCK][id % BLOCK]
    }

    pub(super) fn at_mut(&mut self, id: u32) -> &mut S {
        let id = id as usize;
        &mut self.blocks[id / BLOCK][id % BLOCK]
    }

    /// Forgets all, but keeps some of the room.
    pub(super) fn clear(&mut self) {
        self.blocks.truncate(1);
        self.blocks.iter_mut().for_each(Vec::clear);
        self.free = Vec::new();
    }
}
