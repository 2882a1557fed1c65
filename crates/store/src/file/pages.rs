//! Pages of segments as the files have them, kept for whoever asks here and there: to ask the disk costs more than to find a
//! message in what it gives, even where the system has that in memory.
//!
//! Invariant: what is kept of a segment is as its file has it: whoever writes over what was there has it forgotten.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::log::Log;
use super::segment::Segment;

/// Bytes of a page.
const PAGE: u32 = 4 << 10;
/// Places for pages that a store has at first.
const FEW: usize = 16;
/// Pages that one store keeps: 4 MiB.
const PLACES: usize = 1024;
/// Pages that all stores of the process keep together: 16 MiB.
const MOST: usize = 4096;

/// Those kept now.
static KEPT: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug, Default)]
struct Page {
    segment: u64,
    start: u32,
    /// Fewer than [`PAGE`] where the segment ended when they were read.
    bytes: Vec<u8>,
}

/// The pages of a store, each in the place that its number gives it. There are few places as long as few are wanted.
#[derive(Debug, Default)]
pub(super) struct Pages {
    places: Vec<Option<Page>>,
    /// Where a page is read that is not kept.
    spare: Page,
}

/// Pages in a row get places in a row.
fn place_of(segment: u64, start: u32, places: usize) -> usize {
    let first = (segment.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
    first.wrapping_add((start / PAGE) as usize) % places
}

impl Pages {
    /// Appends to `into` what a segment has from `at` on: at least `need` bytes, unless it ends, and up to the end of a page.
    pub(super) fn read(
        &mut self,
        log: &Log,
        segment: &Segment,
        at: u32,
        need: usize,
        into: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut at = at;
        while at < segment.end {
            let start = at - at % PAGE;
            let page = self.page(log, segment, start)?;
            let found = page.bytes.get((at - start) as usize..).unwrap_or_default();
            into.extend_from_slice(found);
            at = start + PAGE;
            if into.len() >= need || page.bytes.len() < PAGE as usize {
                break;
            }
        }
        Ok(())
    }

    /// A page, from memory if all of it that there is by now is there.
    fn page(&mut self, log: &Log, segment: &Segment, start: u32) -> io::Result<&Page> {
        let number = segment.header.number;
        let len = (segment.end - start).min(PAGE) as usize;
        let is_other = |page: &Page| (page.segment, page.start) != (number, start);
        let mut at = place_of(number, start, self.places.len().max(FEW));
        while self.places.len() < PLACES && self.places.get(at).is_none_or(|place| place.as_ref().is_some_and(is_other))
        {
            self.grow();
            at = place_of(number, start, self.places.len());
        }
        let place = &mut self.places[at];
        let has = |page: &Page| (page.segment, page.start) == (number, start) && page.bytes.len() >= len;
        if !place.as_ref().is_some_and(has) {
            let file = log.file(segment)?;
            let page = match place {
                Some(page) => page,
                None if KEPT.fetch_add(1, Relaxed) < MOST => place.insert(Page::default()),
                None => {
                    KEPT.fetch_sub(1, Relaxed);
                    &mut self.spare
                }
            };
            // What is half read is nobody's.
            page.segment = 0;
            page.bytes.resize(len, 0);
            let read = file.read_at(&mut page.bytes, u64::from(start))?;
            page.bytes.truncate(read);
            (page.segment, page.start) = (number, start);
            return Ok(page);
        }
        Ok(place.as_ref().expect("it was just seen"))
    }

    /// Makes twice as many places: pages that had different ones still have.
    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(FEW);
        let pages = std::mem::take(&mut self.places);
        self.places.resize_with(places, || None);
        for page in pages.into_iter().flatten() {
            let at = place_of(page.segment, page.start, places);
            self.places[at] = Some(page);
        }
    }

    /// Forgets a segment: it is gone, or has changed.
    pub(super) fn forget(&mut self, segment: u64) {
        for place in &mut self.places {
            if place.take_if(|page| page.segment == segment).is_some() {
                KEPT.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        KEPT.fetch_sub(self.places.iter().flatten().count(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_more_places_every_page_has_one_still() {
        let mut pages = Pages::default();
        pages.grow();
        let wanted: Vec<(u64, u32)> = (3..5).flat_map(|segment| (0..6).map(move |n| (segment, n * PAGE))).collect();
        for &(segment, start) in &wanted {
            while pages.places[place_of(segment, start, pages.places.len())].is_some() {
                pages.grow();
            }
            KEPT.fetch_add(1, Relaxed);
            let at = place_of(segment, start, pages.places.len());
            pages.places[at] = Some(Page { segment, start, bytes: Vec::new() });
        }
        for _ in 0..3 {
            pages.grow();
            for &(segment, start) in &wanted {
                let page = pages.places[place_of(segment, start, pages.places.len())].as_ref();
                assert!(page.is_some_and(|page| (page.segment, page.start) == (segment, start)));
            }
        }
        pages.forget(3);
        assert_eq!(pages.places.iter().flatten().count(), wanted.len() / 2);
    }
}
