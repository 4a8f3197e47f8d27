//! Floor 2: the metadata log, the image every core holds, the controller.
