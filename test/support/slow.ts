/** Imported before the tests of a slow file: their campaigns run at full length. */
process.env.VERINFER_SLOW = '1';
