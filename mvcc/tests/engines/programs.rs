//! A bank, a mail store, and TPC-C's new-order in small, for any engine.

use mvcc::engine::{Declare, Engine, Failed, Read, Write};
use std::fmt;

/// A closure has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

/// Accounts, by number.
pub(crate) struct Bank<X: Engine> {
    pub(crate) balances: X::Table<u64, i64>,
    accounts: X::OrderedTable<u64, ()>,
}

impl<X: Engine> Bank<X> {
    pub(crate) fn declare<D: Declare<X>>(tables: &mut D) -> Result<Self, D::Error> {
        Ok(Self {
            balances: tables.table("balances")?,
            accounts: tables.ordered_table("accounts")?,
        })
    }

    pub(crate) fn load(&self, engine: &X) -> Result<(), X::Error> {
        engine.run(|tx| {
            for account in 0..3 {
                tx.insert(&self.balances, account, 100);
                tx.insert_ordered(&self.accounts, account, ());
            }
            Ok(())
        })
    }

    pub(crate) fn transfer(
        &self,
        engine: &X,
        from: u64,
        to: u64,
        amount: i64,
    ) -> Result<(), Failed<Refused, X::Error>> {
        engine.run(|tx| {
            let balance = |account| {
                let balance = tx.get(&self.balances, &account)?;
                balance
                    .map(|balance| *balance)
                    .ok_or(Failed::Closure(Refused))
            };
            let left = balance(from)? - amount;
            if left < 0 {
                return Err(Failed::Closure(Refused));
            }
            tx.insert(&self.balances, from, left);
            tx.insert(&self.balances, to, balance(to)? + amount);
            Ok(())
        })
    }

    pub(crate) fn balances(&self, read: &impl Read<X>) -> Result<Vec<i64>, X::Error> {
        let accounts = read.range(&self.accounts, ..);
        let accounts = accounts.map(|row| row.map(|(account, _)| *account));
        let accounts: Vec<u64> = accounts.collect::<Result<_, _>>()?;
        let balances = read.get_many(&self.balances, &accounts);
        balances
            .map(|balance| Ok(*balance?.expect("it has one")))
            .collect()
    }

    pub(crate) fn backwards(&self, read: &impl Read<X>) -> Result<Vec<i64>, X::Error> {
        let mut balances = Vec::new();
        for row in read.range(&self.accounts, ..).rev() {
            let balance = read.get(&self.balances, &*row?.0)?;
            balances.push(*balance.expect("it has one"));
        }
        Ok(balances)
    }
}

/// Mail, by user and arrival.
pub(crate) struct Mail<X: Engine> {
    messages: X::OrderedTable<(u32, u64), Vec<u8>>,
    arrivals: X::Table<u32, u64>,
}

impl<X: Engine> Mail<X> {
    pub(crate) fn declare<D: Declare<X>>(tables: &mut D) -> Result<Self, D::Error> {
        Ok(Self {
            messages: tables.ordered_table("messages")?,
            arrivals: tables.table("arrivals")?,
        })
    }

    pub(crate) fn deliver(&self, engine: &X, user: u32, message: &[u8]) -> Result<(), X::Error> {
        engine.run(|tx| {
            let arrival = tx.get(&self.arrivals, &user)?.map_or(0, |arrival| *arrival);
            tx.insert(&self.arrivals, user, arrival + 1);
            tx.insert_ordered(&self.messages, (user, arrival), message.to_vec());
            Ok(())
        })
    }

    /// Takes all mail of a user out.
    pub(crate) fn pickup(&self, engine: &X, user: u32) -> Result<Vec<Vec<u8>>, X::Error> {
        engine.run(|tx| {
            let mut taken = Vec::new();
            for row in tx.range(&self.messages, (user, 0)..=(user, u64::MAX)) {
                let (key, message) = row?;
                taken.push(message.clone());
                tx.remove_ordered(&self.messages, &key);
            }
            Ok(taken)
        })
    }

    pub(crate) fn all(&self, read: &impl Read<X>) -> Result<Vec<Vec<u8>>, X::Error> {
        let messages = read.range(&self.messages, ..);
        messages
            .map(|row| row.map(|(_, message)| message.clone()))
            .collect()
    }
}

/// An order: items and quantities.
pub(crate) struct Order(pub Vec<(u32, i64)>);

/// What new-order needs of TPC-C's tables.
pub(crate) struct Orders<X: Engine> {
    /// The district's next order.
    next: X::Table<(), u64>,
    /// Quantities, by item.
    stock: X::Table<u32, i64>,
    /// Items and quantities, by order and line.
    lines: X::OrderedTable<(u64, u32), (u32, i64)>,
}

const ITEMS: u32 = 3;

impl<X: Engine> Orders<X> {
    pub(crate) fn declare<D: Declare<X>>(tables: &mut D) -> Result<Self, D::Error> {
        Ok(Self {
            next: tables.table("district")?,
            stock: tables.table("stock")?,
            lines: tables.ordered_table("order_line")?,
        })
    }

    pub(crate) fn load(&self, engine: &X) -> Result<(), X::Error> {
        engine.run(|tx| {
            for item in 0..ITEMS {
                tx.insert(&self.stock, item, 10);
            }
            Ok(())
        })
    }

    /// Places an order, unless one of its items is none. Returns its number.
    pub(crate) fn place(
        &self,
        engine: &X,
        order: &Order,
    ) -> Result<u64, Failed<Refused, X::Error>> {
        engine.run(|tx| {
            let number = tx.get(&self.next, &())?.map_or(0, |next| *next);
            tx.insert(&self.next, (), number + 1);
            let items: Vec<u32> = order.0.iter().map(|(item, _)| *item).collect();
            let stocks = tx.get_many(&self.stock, &items);
            for ((line, (item, quantity)), stock) in (0..).zip(&order.0).zip(stocks) {
                let stock = *stock?.ok_or(Failed::Closure(Refused))?;
                tx.insert(&self.stock, *item, stock - quantity);
                tx.insert_ordered(&self.lines, (number, line), (*item, *quantity));
            }
            Ok(number)
        })
    }

    pub(crate) fn next(&self, read: &impl Read<X>) -> Result<u64, X::Error> {
        Ok(read.get(&self.next, &())?.map_or(0, |next| *next))
    }

    /// The order and the quantity of each line.
    pub(crate) fn lines(&self, read: &impl Read<X>) -> Result<Vec<(u64, u32)>, X::Error> {
        let lines = read.range(&self.lines, ..);
        lines
            .map(|row| row.map(|(key, line)| (key.0, u32::try_from(line.1).expect("small"))))
            .collect()
    }

    pub(crate) fn stock(&self, read: &impl Read<X>) -> Result<Vec<i64>, X::Error> {
        let items: Vec<u32> = (0..ITEMS).collect();
        let stock = read.get_many(&self.stock, &items);
        stock
            .map(|stock| Ok(*stock?.expect("it is stocked")))
            .collect()
    }
}
