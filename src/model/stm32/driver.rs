//! ST's Ethernet drivers: the old one copies, the new one hands buffers over.

/// How bytes get between the DMA and lwIP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// Copied into and out of static buffers of the driver.
    Copying,
    /// Buffers change hands.
    ZeroCopy,
}

/// A driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Driver {
    /// Receiving. Copying: into `PBUF_POOL`, and the frame is lost if that is empty. Zero-copy:
    /// the driver's own pool of custom pbufs; if that is empty, reading stops until one is freed.
    pub rx: Path,
    /// Sending. Copying: `ERR_USE` if no buffer is free. Zero-copy: `ERR_IF` if a chain has more
    /// pieces than there are descriptors, and every frame is waited for.
    pub tx: Path,
    /// `ETH_RXBUFNB`, `ETH_RX_DESC_CNT`.
    pub rx_descriptors: u32,
    /// `ETH_TXBUFNB`, `ETH_TX_DESC_CNT`.
    pub tx_descriptors: u32,
    /// `ETH_RX_BUFFER_CNT`: custom pbufs of a zero-copy receiver.
    pub rx_buffers: u32,
    /// It gives descriptors back and forgets to clear `RBUS`, to poll or to move the tail
    /// pointer: an H7 never receives again after it was suspended once.
    pub forgets_resume: bool,
}

/// Bytes of one buffer of the DMA. `ETH_RX_BUF_SIZE` 1524 and 1536, aligned for a cache.
const BUFFER_BYTES: u32 = 1_536;

impl Driver {
    /// The old driver (STM32CubeF4 up to 1.26).
    pub const COPYING: Driver = Driver {
        rx: Path::Copying,
        tx: Path::Copying,
        rx_descriptors: 4,
        tx_descriptors: 4,
        rx_buffers: 0,
        forgets_resume: false,
    };
    /// The new driver (STM32CubeF4 from 1.27, F7, H7).
    pub const ZERO_COPY: Driver = Driver {
        rx: Path::ZeroCopy,
        tx: Path::ZeroCopy,
        rx_descriptors: 4,
        tx_descriptors: 4,
        rx_buffers: 12,
        forgets_resume: false,
    };

    /// Memory of its descriptors and buffers, in bytes.
    pub fn ram_bytes(&self) -> u32 {
        let descriptors = self.rx_descriptors + self.tx_descriptors;
        let buffers = match self.rx {
            Path::Copying => self.rx_descriptors,
            Path::ZeroCopy => self.rx_buffers,
        };
        let tx_buffers = match self.tx {
            Path::Copying => self.tx_descriptors,
            Path::ZeroCopy => 0,
        };
        descriptors * super::build::DESCRIPTOR_BYTES + (buffers + tx_buffers) * BUFFER_BYTES
    }
}
