-- The shadow is merged once, by the swap: until then its parts stay as they are, so that what was read of them need not be read again.
-- What is taken out of it is not counted in the disk that this merge asks for, nor after the server was started anew.
ALTER TABLE ${shadow} MODIFY SETTING
    max_bytes_to_merge_at_max_space_in_pool = 1,
    max_bytes_to_merge_at_min_space_in_pool = 1,
    exclude_deleted_rows_for_part_size_in_merge = 1,
    load_existing_rows_count_for_old_parts = 1
