-- Fragment: where a row lies, as a number: which of these parts it is in, from 1 on (0: in none of them), and its place in the part.
bitOr(
    bitShiftLeft(toUInt64(transform(_part, {parts:Array(String)}, arrayEnumerate({parts:Array(String)}), 0)), 40),
    _part_offset)
