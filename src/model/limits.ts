// Every number that bounds the product, each with its reason. Units are the last word of each name.

/** Quantities: thousandths up to 10^15 stay below 2^53, so a JSON number holds each one exactly. */
export const quantityDecimalsMax = 3;
export const quantityMax = 1e12;

/** A name fits a label, a table column and one line of a terminal. */
export const nameCharactersMax = 64;
/**
 * A name is found by its letters written out: "㎏" by "kg", but "ﷺ" by 18, so that a name of 64 took kilobytes in each of
 * seven indexes. Twice as many are enough for names in every script, and for one of nothing but signs of two letters.
 */
export const keyGrowthMax = 2;
export const noteCharactersMax = 200;
/** "pcs", "kg", "bottles of 1 l": a unit stands in a column of every table. */
export const unitCharactersMax = 16;
/** As a note: a line or two below an item. */
export const descriptionCharactersMax = 200;
/** How many names before and after an unknown one, in order, are compared with it: a millisecond's work, in 100 places 10. */
export const suggestedNeighboursMax = 50;
export const searchCharactersMax = 128;
/** What a search finds is sorted up to so many items: a few milliseconds, and nobody reads on in a longer list. */
export const searchSortedMax = 1000;
/** So many items, or balances at the places that are asked for, are looked at and sorted for one page: some 20 ms, in which nobody else is served. */
export const stockSortedMax = 10_000;
/** What a filter leaves of a larger store is looked for among as many at a time; the page may have less than it could. */
export const stockLookedMax = 10_000;
/** So many movements may come while somebody pages by quantity: each page takes them back, in some 20 ms. */
export const pagedMovementsMax = 20_000;
/** And what is looked through for one page of `history`. */
export const historyLookedMax = 20_000;
/** So many movements of a page are read at once, a millisecond's work: before the next ones others are served. */
export const historySliceRows = 128;
/** A page of `view` has as many balances; with names of 64 characters and all that items have that is 3 MB of the 4 that a client takes. */
export const balancesShownMax = 5000;
/** So an item's row fits into a page. */
export const locationsMax = 5000;

/** One delivery note; a longer one is an import. */
export const operationLinesMax = 1000;
/** A thousand lines are at most half of it; more is no delivery note, and would only be read to be refused. */
export const deliveryBytesMax = 1024 * 1024;
/** For so long a slip of one's own hand is undone without asking anybody: the goods are still on the counter. */
export const undoOwnMinutes = 15;
/** So many movements are told to a counter whose stock moved meanwhile: enough to know whom to ask. */
export const movedSinceMax = 3;

/** A spreadsheet has at most 1,048,576 rows; so many staged rows of a user are a hundred megabytes or two. */
export const importRowsMax = 1_000_000;
/** A file is corrected and tried again a few times; each that begins looks through those of its user that wait. */
export const importsStagedMax = 8;
/** The largest file that a client takes into memory as a whole. */
export const importFileBytesMax = 64 * 1024 * 1024;
/** One page of staged rows; a row with every field as long as it may be has a kilobyte. */
export const importPageRowsMax = 1000;
export const importPageBytesMax = 1024 * 1024;
/** Whoever corrects a file reads a page of problems, not all of a million. */
export const importProblemsMax = 1000;
/** What nobody accepted within this time after its last page is forgotten: its client has ended. */
export const importStagedMinutes = 60;
/** One commit of an accepted import (stock.md), if it is not ended earlier by its time. */
export const importCommitRowsMax = 1000;
/** So long others wait at least for a slice of an import, and for one of an accepted import as long as for a commit. */
export const importSliceMilliseconds = 1;
/** On a disk or a machine whose commits take longer than this, an import is not to make it worse. */
export const importSliceMillisecondsMax = 4;
/** And so long for movements to be indexed, which a commit does when many wait. */
export const movementIndexMilliseconds = 8;
/** While an import is counted, so long: others wait for that as well, and what is of many items is not indexed faster at once. */
export const importIndexMilliseconds = 2;
export const importNameCharactersMax = 128;

/** Pages: a screenful by default, and never so many rows that one read delays everyone. */
export const pageRowsDefault = 100;
export const pageRowsMax = 1000;
/** A name and what it was sorted by besides, such as the key of a category, each as long as it may be, in base64. */
export const cursorCharactersMax = 1200;
export const viewItemsMax = 100;
/** Whoever works at more places than this is not limited; a page of `history` looks into the index of each. */
export const scopeLocationsMax = 100;

/**
 * A watcher gets as many movements at once, and then others have their turn: some 60 KB. Fewer than a busy
 * store commits at once would leave every watcher behind.
 */
export const watchPageRows = 256;
/** So many movements are looked through for the few that cross a threshold before others have their turn: a millisecond. */
export const watchLookMax = 4096;
/** Watchers at different places of the ledger, or in different scopes, wait for each other: adds share the store's thread. */
export const watchReadsPerRoundMax = 16;

/** Before login a line carries at most a token or a password; strangers get no more room than that. */
export const lineBytesMaxBeforeLogin = 4 * 1024;
export const lineBytesMax = 64 * 1024;
/** What a client shows and keeps of a refusal: several times our longest, and no line of megabytes by another server. */
export const failureCharactersMax = 2000;
/** A page of an import takes no longer over a telephone line; whoever needs more only occupies memory. */
export const lineSecondsMax = 30;
export const jsonDepthMax = 8;
/** A page of an import has 1,000 rows of 12 members at most; a value costs up to 20 µs to make, where each has another key. */
export const jsonValuesMax = 16_384;
/** No more than seven are asked for, and whoever may not be counted by user may not cost more. */
export const jsonValuesMaxBeforeLogin = 32;
export const requestIdCharactersMax = 64;
/** Logins and API tokens are named by 16 characters, and a refusal repeats the name that it does not know. */
export const publicIdCharactersMax = 64;

/** One request at a time before login keeps a pipelined command behind its `authenticate`. */
export const requestsInFlightMax = 256;
/** A page counts as one request for each so many rows: 256 long pages would be hundreds of megabytes. */
export const rowsPerRequest = 16;
/** A line counts as one request for each so many bytes: as much as its rows when it is a delivery. */
export const bytesPerRequest = 1024;
/**
 * So much of one user's requests is worked on at a time while others ask as well: half a millisecond of the store's time, and
 * more than a person or a scanner ever has in flight.
 */
export const sharedWorkMax = 32;
/**
 * And so many changes of a user's are begun in a second. After some 2,000 they are put into indexes, and after some 4,000 SQLite's log goes
 * into its file, each of which keeps everybody for some 10 ms: at 15,000 a second that was a fifth of the time.
 */
export const sharedChangesPerSecondMax = 1600;
/**
 * And so much of a user's who is alone: 30 ms of the store's time, once, for whoever asks next. Fewer than 64 connections
 * with 16 requests each would make larger commits smaller, and each add 8 % dearer (measured).
 */
export const userWorkMax = 2048;
/**
 * What a page of `view` takes of that which may be found by a look at 10,000 items, some 20 ms: more than a share, and of one
 * who is alone eight at a time, so that whoever asks next waits for a sixth of a second once.
 */
export const lookedForWork = userWorkMax / 8;
/** And a page of `history` that is looked for among thousands of movements, some 4 ms. */
export const filteredHistoryWork = sharedWorkMax / 2;
/** Whoever asked so long ago at most is somebody who asks as well. */
export const userWorkSharedMilliseconds = 1000;
/**
 * While others ask as well, a page of an import is followed by a rest of so many times as long as it took: others meet one of a user's in
 * a sixteenth of the time, and a file of 100,000 rows takes half a minute. So is a short delivery, or the undo of one.
 */
export const longWorkRests = 15;
/** Whatever makes everything slow, a page of an import does not wait for longer. */
export const importPageRestMillisecondsMax = 1000;
/**
 * A delivery rests once more for each so many of its lines. Whoever meets one of a thousand waits for 20 to 50 ms: when that happens
 * to one in a hundred, p99 is as in quiet.
 */
export const deliveryLinesPerRest = 3;
export const deliveryRestsMax = 99;
export const deliveryRestMillisecondsMax = 5000;
/** After lines that took longer to read, their user's next one waits for as long: so others have half of the time. */
export const lineReadMillisecondsMax = 2;
export const unreadReplyBytesMaxBeforeLogin = 16 * 1024;
export const unreadReplyBytesMax = 1024 * 1024;
export const unreadReplySecondsMax = 10;

/** Whoever comes in the same moment as thousands would else be dropped by the system, and try again after a second. */
export const acceptBacklogMax = 4096;
/** A silent or slow stranger costs a socket for this long and no longer. */
export const handshakeSecondsMax = 5;
export const silentPeerMillisecondsMax = 250;
export const loginSecondsMax = 10;
export const idleSecondsMax = 300;
/** Somebody who redeemed an enrolment code is choosing a password. */
export const enrolmentSecondsMax = 300;
/** No ClientHello of TLS 1.3 is shorter: who has sent less is as good as silent. */
export const clientHelloBytesMin = 100;
export const halfOpenPeersMax = 128;
export const halfOpenPeersPerAddressMax = 8;
/** Past this the oldest goes, whatever it has sent: each costs a descriptor, and no honest burst is as large. */
export const halfOpenPeersHardMax = 1024;
export const connectionsBeforeLoginMax = 256;
export const connectionsMax = 10_000;
/** All scanners of a large warehouse under one API token; each may have a line of 64 KiB here that is not at its end. */
export const connectionsPerUserMax = 1000;
export const failedLoginsPerConnectionMax = 3;

/** What is in flight at a shutdown is finished within this time, or given up unacknowledged. */
export const drainSecondsMax = 10;

/** 12 characters without composition rules (NIST SP 800-63B); 256 bounds the work of one hash. */
export const passwordCharactersMin = 12;
export const passwordCharactersMax = 256;
export const passwordHashQueueMax = 32;
export const passwordHashQueuePerAddressMax = 4;
/** OWASP's minimum for argon2id: 19 MiB, two passes. */
export const passwordMemoryKibibytesMin = 19 * 1024;
export const passwordPassesMin = 2;

export const accessTokenBytesMax = 2048;
/** Bounds how long a token outlives what it was granted for, and how long a replaced key must verify. */
export const accessMinutesMax = 60;
export const clockSkewSeconds = 30;
/** A repeat of a refresh within this time is the same client trying again (security.md 13). */
export const refreshRepeatSeconds = 30;
/**
 * How far back a spent refresh token without a tag is recognized as stolen, which costs a hash a step. None are given
 * any more, so this matters only until the logins that began before tags have ended.
 */
export const untaggedRefreshAgesMax = 1024;
export const apiTokenDaysDefault = 90;
/** A forgotten token is a key under a mat: a year is as long as one may lie there. */
export const apiTokenDaysMax = 365;
/** More machines than one person looks after; bounds what is held in memory for a user. */
export const apiTokensPerUserMax = 50;
/** `lastUsedAt` is for finding tokens that nobody uses, and no reason to write at each request. */
export const apiTokenUseSeconds = 60;
export const deviceDays = 30;
/** A script that logs in at each run and keeps nothing makes a device each time: the oldest go. */
export const devicesPerUserMax = 64;
export const firstEnrolmentMinutes = 15;
export const enrolmentHours = 24;

/**
 * Seconds to wait after the first, second, … failed login in a row of one account from one source; the last holds on. Two
 * slips of the hand cost nothing, and a guesser gets two tries a minute.
 */
export const failedLoginDelaySeconds = [0, 0, 1, 2, 4, 8, 16, 30] as const;
/** For how long a failed login is held against its account and its source. */
export const failedLoginMinutes = 15;
/** More of one account from unknown sources within that time make all unknown sources wait: a botnet is slow, too. */
export const strangerFailuresMax = 10;
/** More in a row from unknown sources and only known ones may try: no password falls to a guesser who has months. */
export const strangerFailuresInARowMax = 100;
/** Sources remembered of an account: more than anybody logs in from, and strangers can add 10 in 15 minutes. */
export const failedLoginSourcesMax = 16;
/** What is remembered of names that nobody has, and of addresses: a few megabytes. */
export const failedLoginStrangersMax = 10_000;
/** Failed logins, enrolments and refreshes of one address within so many seconds: a shop behind one router slips less. */
export const failuresPerAddressMax = 20;
export const failuresPerAddressSeconds = 60;

/** An authority outlives the machine it was made on; a leaf is renewed before anyone forgets how. */
export const authorityDays = 3650;
export const serverCertificateDays = 90;
/** A certificate is used at once on machines whose clocks are a little behind. */
export const certificateBackdatedSeconds = 60;
export const clientCertificateDays = 30;
export const revocationListDays = 30;
/** A client makes its key and signs in far less; a nonce that was given longer ago belongs to nothing that is under way. */
export const certificateNonceSeconds = 60;
/** A client asks every 20 days; more than these are a fault, and each one is to be revoked if the user is lost. */
export const certificatesPerHourMax = 5;
/** A P-256 key takes 124 characters of base64, its signature at most 96: no room for anything else to be parsed. */
export const publicKeyCharactersMax = 200;
export const keySignatureCharactersMax = 100;
/** How many days ahead the log tells of an end that nothing renews: once at the first mark, daily from the second. */
export const certificateWarningDays = [30, 7] as const;

/** Nor a disk by lines of the log that strangers cause, or whoever takes from many items to and fro. */
export const boundedLinesPerSecondMax = 20;
/** A person does not log in, or make and end tokens, more than twice a second. */
export const ownChangesPerMinuteMax = 120;
/** Strangers cannot fill the disk: so many records of refusals are written in a second, whoever causes how many. */
export const refusalRecordsPerSecondMax = 10;
/** So many kinds, sources and users of refusals are told apart in a minute; the rest share a record. */
export const refusalKeysMax = 1000;
/** All four ways in which a login is refused, or a look around of a few commands: beyond, a record says that there were more. */
export const refusalDetailsMax = 8;
/** At ten a second these are more than a day of them; the oldest go. Some 200 MB. */
export const refusalRecordsMax = 1_000_000;
/** Old audit records go in portions that delay nobody. */
export const auditForgetMax = 500;
/** More receivers are a distributor's work; each may have a request in flight and a row for each message. */
export const webhooksMax = 8;
/** A receiver takes a message into a queue of its own; who needs longer is treated as unreachable. */
export const webhookSecondsMax = 10;
/** Between two tries of a message: a moment at first, an hour in the end, because people look after receivers. */
export const webhookRetrySecondsMin = 1;
export const webhookRetrySecondsMax = 3600;
/** A receiver that fails is left alone for up to this long, however many messages wait for it. */
export const webhookPauseSecondsMax = 60;
/** Who looks a week later looks into the stock. */
export const outboxDays = 7;
/** Some 50 MB. A receiver that is away must not fill the disk that the ledger needs. */
export const outboxRowsMax = 100_000;
/** Old messages go in portions that delay nobody. */
export const outboxForgetMax = 500;
/** Somebody should see to a receiver that is away for longer than a restart takes. */
export const webhookWarningMinutes = 60;
/** A shutdown does not wait for a receiver: what it has not confirmed by then is sent again after the start. */
export const webhookCloseMillisecondsMax = 1000;
/** 32 characters of base64url are 192 random bits; a word can be guessed from one signed message. */
export const webhookSecretCharactersMin = 32;
/** Given up on a full disk for logins, refreshes and the audit log: hundreds of thousands of them, and one log of SQLite's. */
export const diskReserveBytes = 16 * 1024 * 1024;
/** What a full disk costs nobody to look at, and soon enough for whoever has made room. */
export const diskLookMilliseconds = 1000;
/** The pass over the ledger works this long at once, which no commit notices, … */
export const ledgerPassWorkMilliseconds = 2;
/** … and rests for so many times as long: a twentieth of a processor, so that a million movements take minutes. */
export const ledgerPassRestTimes = 19;
/** Bits do not flip by the minute; a day's backups hold nothing that was not looked at. */
export const ledgerPassPauseHours = 1;
/** A client certificate lives 30 days: this is time to ask for the next one, and not so much that nobody looks any more. */
export const clientCertificateWarningDays = 7;
/** Operations that a client keeps for one user while the server is away: a day's scanning, and soon listed. */
export const queuedOperationsMax = 1000;
/** Movements that a chart is drawn of: a page, and more than a terminal has columns for. */
export const chartMovementsMax = 1000;

/**
 * Probes and one scraper; more at once is somebody's mischief, and the oldest goes that has not asked yet. As many as come
 * while a request is on its way: with 32, one that connects without end pushed probes out before they had asked.
 */
export const opsConnectionsMax = 256;
/** A probe's request is a line and a few headers. */
export const opsHeaderBytesMax = 4 * 1024;
/** A probe sends its request at once: a slow one occupies a place for so long. */
export const opsRequestSecondsMax = 2;
/** However many ask, metrics are written out, and readiness is looked into, this often: the second one costs an fsync. */
export const opsMetricsMilliseconds = 250;
export const readinessMilliseconds = 2000;
/** What has not answered by then is no slow disk any more: a supervisor should start the server anew. */
export const silenceSecondsMax = 10;
/** A check of readiness that takes longer than probes wait has failed. */
export const readinessCheckMillisecondsMax = 900;
/** Longer than all of readiness, which is a gauge, and shorter than any scraper waits. */
export const gaugeMillisecondsMax = 2000;
/** An event loop that is late by this much answers nobody in time. */
export const eventLoopDelayMillisecondsMax = 1000;
/** Four times the log that is written between two checkpoints: below it changes are about to be refused. */
export const diskFreeBytesMin = 64 * 1024 * 1024;
/** Below it, an operator has days rather than minutes to make room. */
export const diskFreeBytesLow = 1024 * 1024 * 1024;
/** Somebody who makes one each day has missed one; what is lost with the disk is what was done since. */
export const backupDaysMax = 2;
/** More than NTP ever slews: the machine's clock was set, or slept. As much as tokens are forgiven. */
export const clockDivergenceSecondsMax = 30;
/** How often the two clocks are compared: a step is known before the next token is refreshed. */
export const clockLookSeconds = 10;
