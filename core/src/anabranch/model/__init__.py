"""Pure data that every other room speaks: ids, options, references, records. Imports nothing but `errors`."""
