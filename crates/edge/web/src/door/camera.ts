// Reads QR codes with the camera, where the browser brings a reader: one picture at a
// time, as long as it is switched on.

const LOOK_EVERY_MS = 150;

interface Detector {
  detect(source: CanvasImageSource): Promise<{ rawValue: string }[]>;
}

declare global {
  interface Window {
    BarcodeDetector?: {
      new (options: { formats: string[] }): Detector;
      getSupportedFormats(): Promise<string[]>;
    };
  }
}

/** Whether this browser can read QR codes with a camera. Only over TLS or on localhost. */
export async function canReadCodes(): Promise<boolean> {
  if (!window.BarcodeDetector || !navigator.mediaDevices) return false;
  const formats = await window.BarcodeDetector.getSupportedFormats().catch((): string[] => []);
  return formats.includes('qr_code');
}

/** Shows the camera in `video` and tells each code it sees. Returns how to stop it. */
export async function readCodes(
  video: HTMLVideoElement,
  onCode: (code: string) => void,
): Promise<() => void> {
  if (!window.BarcodeDetector) throw new Error('this browser reads no codes');
  const detector = new window.BarcodeDetector({ formats: ['qr_code'] });
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: 'environment' },
  });
  const letGo = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  video.srcObject = stream;
  try {
    await video.play();
  } catch (error) {
    letGo();
    throw error;
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOn = true;
  const look = async () => {
    // A frame that cannot be read is no reason to stop: there is a next one.
    const codes = await detector.detect(video).catch(() => []);
    if (!isOn) return;
    if (codes[0]) onCode(codes[0].rawValue);
    timer = setTimeout(look, LOOK_EVERY_MS);
  };
  void look();
  return () => {
    isOn = false;
    clearTimeout(timer);
    letGo();
  };
}
