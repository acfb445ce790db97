-- What is taken out of the shadow is not counted in the disk that the merge of its partitions asks for.
ALTER TABLE ${shadow} MODIFY SETTING exclude_deleted_rows_for_part_size_in_merge = 1
