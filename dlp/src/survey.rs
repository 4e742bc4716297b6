//! What everything that looks at a text asks first: which of its bytes are of which kind, and what its receiver reads.
use crate::masks::Masks;
use crate::view::{Before, View};

/// Of one text.
pub(crate) struct Survey {
    pub(crate) masks: Masks,
    /// `None` when it is read as it stands there.
    pub(crate) view: Option<View>,
    /// Those of the view's bytes, where they are others or fewer.
    viewed: Option<Masks>,
}

impl Survey {
    pub(crate) fn of(text: &[u8], before: Before, last: bool) -> Survey {
        let masks = Masks::of(text);
        let view = View::with(text, &masks, before, last);
        let viewed =
            view.as_ref().filter(|view| view.differs_from(text)).map(|view| Masks::of(view.text(text)));
        Survey { masks, view, viewed }
    }

    /// Of what the receiver reads.
    pub(crate) fn read(&self) -> &Masks {
        self.viewed.as_ref().unwrap_or(&self.masks)
    }
}
