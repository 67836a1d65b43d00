//! Named places at which a test can kill the process for real, to prove that
//! whatever was left half-done is finished. Built only with the feature
//! `failpoints`; in a release the call is nothing.

macro_rules! points {
    ($($point:ident = $name:literal),* $(,)?) => {
        /// A place between two steps of an order's way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($point),* }

        impl Point {
            /// All of them: the crash test walks through this list.
            pub const ALL: &'static [Self] = &[$(Self::$point),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name),* }
            }
        }
    };
}

points! {
    BeforePin = "before_pin",
    AfterPin = "after_pin",
    BeforeRecord = "before_record",
    AfterRecord = "after_record",
    BeforeDecide = "before_decide",
    AfterDecide = "after_decide",
    BeforeDecideVoid = "before_decide_void",
    AfterDecideVoid = "after_decide_void",
    BeforeAuthorise = "before_authorise",
    AfterAuthorise = "after_authorise",
    BeforeCapture = "before_capture",
    AfterCapture = "after_capture",
    BeforeLookUp = "before_look_up",
    AfterLookUp = "after_look_up",
    BeforeVoid = "before_void",
    AfterVoid = "after_void",
    BeforeRefund = "before_refund",
    AfterRefund = "after_refund",
    BeforeAskFan = "before_ask_fan",
    AfterAskFan = "after_ask_fan",
    BeforePay = "before_pay",
    AfterPay = "after_pay",
    BeforeFail = "before_fail",
    AfterFail = "after_fail",
    BeforeAbandon = "before_abandon",
    AfterAbandon = "after_abandon",
    BeforeCancel = "before_cancel",
    AfterCancel = "after_cancel",
    BeforeRecordRefund = "before_record_refund",
    AfterRecordRefund = "after_record_refund",
    BeforeTell = "before_tell",
    AfterTell = "after_tell",
    BeforeNote = "before_note",
    AfterNote = "after_note",
}

/// The variable that names the point at which to die.
pub const VARIABLE: &str = "USHER_FAILPOINT";

#[cfg(feature = "failpoints")]
pub(crate) fn reach(point: Point) {
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == point.name()) {
        std::process::abort();
    }
}

#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) const fn reach(_: Point) {}
