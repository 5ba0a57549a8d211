// Pages that are opened as files may not start workers, and the search of the theme is
// one: here it runs in a hidden frame, in place of a script that the theme would fetch.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe");
    #ready;

    constructor(address) {
      super();
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      // the worker's answers, and the scripts that it asks for
      inside.postMessage = (data) => this.#receive(data);
      inside.importScripts = (...addresses) =>
        addresses.reduce(
          (before, each) => before.then(() => this.#load(each)),
          Promise.resolve(),
        );
      this.#ready = this.#load(new URL(address, location.href));
    }

    #load(address) {
      const script = this.#frame.contentDocument.createElement("script");
      const loaded = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${address} does not load`));
      });
      script.src = address;
      this.#frame.contentDocument.body.append(script);
      return loaded;
    }

    #receive(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }

    postMessage(data) {
      this.#ready.then(() => {
        const Event = this.#frame.contentWindow.MessageEvent;
        this.#frame.contentWindow.dispatchEvent(new Event("message", { data }));
      });
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
