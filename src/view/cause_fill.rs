//! How each cause is filled where time is drawn: one hue per group, a pattern inside it.

use crate::model::Cause;

use super::draw::Pattern;
use super::tokens::Token;

/// The colour and the pattern of a cause: one hue per group, a pattern inside it.
pub const fn fill_of(cause: Cause) -> (Token, Pattern) {
    match cause {
        Cause::Sender => (Token::CauseSendBuffer, Pattern::Lines),
        Cause::BackPressure => (Token::CauseWindow, Pattern::Dots),
        Cause::Retry => (Token::CauseRto, Pattern::Dots),
        Cause::WireQueue => (Token::CauseSerialisation, Pattern::Lines),
        Cause::Serialisation => (Token::CauseSerialisation, Pattern::Hatch),
        Cause::Propagation => (Token::CausePropagation, Pattern::Solid),
        Cause::BrokerQueue => (Token::CauseBrokerQueue, Pattern::Solid),
        Cause::BehindAnother => (Token::CauseHeadOfLine, Pattern::Hatch),
        Cause::Processing => (Token::CauseProcessing, Pattern::Solid),
        Cause::Paused => (Token::CauseRebalance, Pattern::Dots),
        Cause::LostDelivery => (Token::CauseRedelivery, Pattern::Hatch),
        Cause::SendBuffer => (Token::CauseSendBuffer, Pattern::Solid),
        Cause::Handshake => (Token::CauseTick, Pattern::Lines),
        Cause::Nagle => (Token::CauseNagle, Pattern::Solid),
        Cause::DelayedAck => (Token::CauseDelayedAck, Pattern::Hatch),
        Cause::Cork => (Token::CauseNagle, Pattern::Dots),
        Cause::CongestionWindow => (Token::CauseWindow, Pattern::Solid),
        Cause::ReceiverWindow => (Token::CauseWindow, Pattern::Hatch),
        Cause::Persist => (Token::CauseTick, Pattern::Solid),
        Cause::SegmentQueue => (Token::CauseNoBuffer, Pattern::Solid),
        Cause::Retransmission => (Token::CauseRto, Pattern::Solid),
        Cause::HeadOfLine => (Token::CauseHeadOfLine, Pattern::Solid),
        Cause::Unread => (Token::CauseCpu, Pattern::Lines),
        Cause::HeapFull => (Token::CauseNoBuffer, Pattern::Hatch),
        Cause::NoPbuf => (Token::CauseNoBuffer, Pattern::Dots),
        Cause::TxDescriptors => (Token::CauseCopyDma, Pattern::Dots),
        Cause::RxRing => (Token::CauseNoBuffer, Pattern::Lines),
        Cause::MainLoop => (Token::CauseCpu, Pattern::Hatch),
        Cause::Cpu => (Token::CauseCpu, Pattern::Solid),
        Cause::Copy => (Token::CauseCopyDma, Pattern::Hatch),
        Cause::Dma => (Token::CauseCopyDma, Pattern::Solid),
        Cause::Phy => (Token::CauseCopyDma, Pattern::Lines),
        Cause::TimerTick => (Token::CauseTick, Pattern::Dots),
        Cause::OtherParts => (Token::CauseHeadOfLine, Pattern::Lines),
        Cause::Downstream => (Token::CauseProcessing, Pattern::Lines),
        Cause::BrokerWork => (Token::CauseBrokerQueue, Pattern::Hatch),
        Cause::Disk => (Token::CauseBrokerQueue, Pattern::Lines),
        Cause::Alarm => (Token::CauseBrokerQueue, Pattern::Dots),
        Cause::Claim => (Token::CauseProcessing, Pattern::Dots),
        Cause::Away => (Token::CauseRebalance, Pattern::Lines),
        Cause::Unreleased => (Token::CauseTick, Pattern::Hatch),
        Cause::Delayed => (Token::CauseRto, Pattern::Lines),
        Cause::Buried => (Token::CauseRedelivery, Pattern::Dots),
        Cause::Linger => (Token::CauseNagle, Pattern::Lines),
        Cause::InFlight => (Token::CauseWindow, Pattern::Lines),
        Cause::BatchRest => (Token::CauseHeadOfLine, Pattern::Dots),
        Cause::Replication => (Token::CauseDelayedAck, Pattern::Solid),
        Cause::Invisible => (Token::CauseDelayedAck, Pattern::Dots),
        Cause::Unowned => (Token::CauseRebalance, Pattern::Solid),
        Cause::FetchWait => (Token::CauseNagle, Pattern::Hatch),
        Cause::PollWait => (Token::CauseRebalance, Pattern::Hatch),
        Cause::OpenTransaction => (Token::CauseDelayedAck, Pattern::Lines),
    }
}
