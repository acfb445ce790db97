-- Take the lock: of two runners that create the same table one gets error 57. The holder stands in the comment.
CREATE TABLE ${lock} (nothing UInt8) ENGINE = Null COMMENT ${holder}
