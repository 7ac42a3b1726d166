/** The appearance of a card as plain data, by the state of its document. */

/** @typedef {import('./api.js').Document} Document */
/** @typedef {import('./api.js').Problem} Problem */
/** @typedef {import('./upload.js').Transfer} Transfer */
/** @typedef {'retry' | 'resend' | 'choose'} Act what the button of a card does */
/**
 * @typedef {object} Look
 * @property {'waiting' | 'moving' | 'done' | 'failed'} tone
 * @property {string} label
 * @property {{value: number, max: number} | 'unknown'} [progress]
 * @property {Problem} [problem]
 * @property {{label: string, act: Act}} [again]
 */

/** @type {Record<Act, Look['again']>} */
const AGAIN = {
  retry: { label: 'Retry', act: 'retry' },
  resend: { label: 'Try again', act: 'resend' },
  choose: { label: 'Choose the file again', act: 'choose' },
};

const BYTES_MISSING = {
  code: '',
  message: 'The upload of this file is not finished.',
  remedy: 'Choose the file again, unless another window is still uploading it.',
};

/** @param {Document} document @param {Transfer | null} transfer @returns {Look} */
export function lookOf({ status, progress, error }, transfer) {
  switch (status) {
    case 'uploading':
      return transfer
        ? lookOfTransfer(transfer)
        : { tone: 'waiting', label: 'Upload unfinished', problem: BYTES_MISSING, again: AGAIN.choose };
    case 'queued':
      return { tone: 'waiting', label: 'Queued', progress: 'unknown' };
    case 'working': {
      if (!progress?.total) return { tone: 'moving', label: 'Working', progress: 'unknown' };
      const { done, total } = progress;
      return { tone: 'moving', label: `Working, ${done} of ${total}`, progress: { value: done, max: total } };
    }
    case 'done':
      return { tone: 'done', label: 'Done' };
    case 'failed': {
      // A retry without the object fails again.
      const again = error?.code === 'OBJECT_MISSING' ? AGAIN.choose : AGAIN.retry;
      return { tone: 'failed', label: 'Failed', problem: error ?? undefined, again };
    }
  }
}

/** @param {Transfer} transfer @returns {Look} */
function lookOfTransfer({ file, sent, problem }) {
  if (problem) return { tone: 'failed', label: 'Not uploaded', problem, again: AGAIN.resend };
  if (sent === null) return { tone: 'waiting', label: 'Waiting', progress: 'unknown' };
  const percent = Math.floor((100 * sent) / file.size);
  return { tone: 'moving', label: `Uploading ${percent} %`, progress: { value: sent, max: file.size } };
}
